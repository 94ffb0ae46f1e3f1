// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Testing

@testable import NFS

/// What a definition that others have written comes to on a host whose settings protect it.
@Suite struct HostProtectionTests {
    private func source(_ words: String, host: String) throws -> any FileSystemSource {
        var settings = NFSSettings()
        settings.mountOptions = host
        return try NFS(settings).source(["server": "nas", "path": "/export", "o": words]).definedByOthers()
    }

    private func options(_ words: String, host: String, for purpose: MountPurpose = .volume) throws -> NFSOptions {
        try #require(try source(words, host: host) as? NFSSource).export.options(for: purpose)
    }

    @Test(arguments: [MountPurpose.volume, .disposal]) func flagsOfTheHostHold(purpose: MountPurpose) throws {
        let weak = "suid,dev,exec,rw"
        let options = try options(weak, host: "nosuid,nodev,noexec,ro", for: purpose)
        #expect(options.generic.attributes.isSuperset(of: [.noSetUID, .noDevices, .noExecution, .readOnly]))
        #expect(options.generic.flags.isSuperset(of: [.noSetUID, .noDevices, .noExecution, .readOnly]))
        // In another order, and repeated.
        let again = try self.options("rw,exec,dev,suid,suid", host: "ro,noexec,nodev,nosuid", for: purpose)
        #expect(again.generic == options.generic)
        // What the host leaves open is the definition's, except where the daemon mounts for itself.
        #expect(try self.options(weak, host: "hard", for: purpose).generic.attributes.contains(.noSetUID) == (purpose == .disposal))
    }

    @Test(arguments: [
        ("sec=sys", "sec=krb5p", "sec=krb5p"), ("sec=none", "sec=sys", "sec=sys"), ("sec=krb5p", "sec=krb5", "sec=krb5p"),
        ("sec=krb5i", "sec=krb5i", "sec=krb5i"), ("sec=sys:krb5p", "sec=krb5", "sec=krb5"), ("sec", "sec=krb5", "sec=krb5"),
        ("xprtsec=none", "xprtsec=tls", "xprtsec=tls"), ("xprtsec=mtls", "xprtsec=tls", "xprtsec=mtls"),
        ("xprtsec=none", "xprtsec=mtls", "xprtsec=mtls"), ("noresvport", "resvport", "resvport"), ("resvport", "noresvport", "resvport"),
        ("context=x", "context=\"system_u:object_r:nfs_t:s0:c1,c2\"", "context=system_u:object_r:nfs_t:s0:c1,c2"),
        ("soft", "port=2050", "port=2050"), ("nosec", "sec=krb5", "sec=krb5"),
    ])
    func theStricterOptionHolds(words: String, host: String, held: String) throws {
        let kernel = try options(words, host: host).kernel
        let key = try #require(held.split(separator: "=").first).description
        let kind = NFSOptions.kind(of: MountOption(key))
        #expect(kernel.filter { NFSOptions.kind(of: $0) == kind }.map(\.description) == [held])
    }

    @Test func theTransportIsTheHosts() throws {
        for words in ["udp", "proto=udp", "rdma", "proto=rdma6"] {
            let options = try options(words, host: "proto=tcp6")
            #expect(options.transport == "tcp" && options.family == .ipv6)
        }
    }

    @Test(arguments: [
        "port=4000", "mountport=4000", "mountaddr=192.0.2.1", "mounthost=evil", "clientaddr=192.0.2.1", "cert_serial=7", "soft,port=0",
    ])
    func portsAndAddressesAreRefused(words: String) throws {
        let source = try source(words, host: "")
        for purpose in [MountPurpose.volume, .disposal] {
            let error = #expect(throws: StorageError.self) { try source.validate(for: purpose) }
            #expect(error?.code == .badOption && error?.description.contains("is not taken from the share") == true)
        }
        // For those who may say it, it holds.
        let plain = try NFS().source(["server": "nas", "path": "/export", "o": words])
        #expect(throws: Never.self) { try plain.validate(for: .volume) }
    }

    @Test func aDefinitionOfThisHostIsFree() throws {
        var settings = NFSSettings()
        settings.mountOptions = "nosuid,sec=krb5p"
        let source = try NFS(settings).source(["server": "nas", "path": "/export", "o": "suid,sec=sys"])
        let options = try #require(source as? NFSSource).export.options(for: .volume)
        #expect(!options.generic.attributes.contains(.noSetUID) && options.kernel.contains(MountOption("sec", "sys")))
    }
}
