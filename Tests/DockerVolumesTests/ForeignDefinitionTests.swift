// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import NFS
import StandIn
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// What a host makes of definitions that others have written into the share's catalogue.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct ForeignDefinitionTests {
    /// The host after a restart with mount options in its settings.
    private func host(_ host: Host, options: String) throws -> Host {
        var fixture = host.fixture
        var kind = try #require(fixture.settings.volumes.kind as? StandIn)
        kind.nfs.settings.mountOptions = options
        fixture.settings.volumes.kind = kind
        return Host(fixture: fixture, volumes: try fixture.start())
    }

    /// The options with which a volume is mounted for a moment.
    private func mountOptions(of name: String, on host: Host) async throws -> Set<String> {
        _ = try await host.driver.mount(name, id: "1")
        let mount = try host.fixture.mounts(name).first
        try await host.driver.unmount(name, id: "1")
        // Another daemon is on the same folders here.
        await host.volumes.volumes.finish()
        return Set(try #require(mount).options)
    }

    private let protection = "nosuid,nodev,noexec"
    private let flags: Set = ["nosuid", "nodev", "noexec"]

    @Test func theProtectionsOfAHostHoldOverWhatOthersHaveWritten() async throws {
        try await withHosts { plainA, plainB, _ in
            let (a, b) = (try host(plainA, options: protection), try host(plainB, options: protection))
            try await a.driver.create("web", options: ["o": "suid,dev,exec"])
            b.read()
            a.read()
            #expect(try await mountOptions(of: "web", on: b).isSuperset(of: flags))
            // Who may use Docker here may say so here.
            #expect(try await mountOptions(of: "web", on: a).isDisjoint(with: flags))
            // Both are so after a restart and another look.
            for (before, isFree) in [(a, true), (b, false)] {
                let after = try before.restarted()
                after.read()
                let mounted = try await mountOptions(of: "web", on: after)
                #expect(isFree ? mounted.isDisjoint(with: flags) : mounted.isSuperset(of: flags))
            }
            // What was taken as it is stays another's; with the same options it is this host's own.
            try await b.driver.create("web", options: [:])
            #expect(try await mountOptions(of: "web", on: b).isSuperset(of: flags))
            try await b.driver.create("web", options: ["o": "suid,dev,exec"])
            #expect(try await mountOptions(of: "web", on: b).isDisjoint(with: flags))
            // One that is defined anew elsewhere is another's again.
            try await a.driver.remove("web")
            try await a.driver.create("web", options: ["o": "suid,dev,exec", "mode": "0700"])
            b.read()
            #expect(try await mountOptions(of: "web", on: b).isSuperset(of: flags))
        }
    }

    @Test func portsAndAddressesOfOthersAreRefusedAsThatVolumesError() async throws {
        try await withHosts { a, b, _ in
            for (name, words) in [("port", "port=4000"), ("client", "clientaddr=192.0.2.1")] {
                try await a.driver.create(name, options: ["o": words])
            }
            try await a.driver.create("web", options: [:])
            a.read()
            #expect(a.names == ["client", "port", "web"])
            for _ in 1...2 { b.read() }
            #expect(b.names == ["web"])
            for name in ["port", "client"] {
                #expect(b.fixture.log.contains("error", "volumes/\(name).json cannot be used: option", "is not taken from the share"))
            }
            #expect(b.fixture.log.all.filter { $0.contains("cannot be used") }.count == 2)
            let message = try await refusal { try await b.driver.create("port", options: [:]) }
            #expect(message.hasPrefix("cannot create volume port as the share nas:/export has it: option port in o"), "\(message)")
            // Here it is this host's own word.
            try await b.driver.create("port", options: ["o": "port=4000"])
            _ = try await mountOptions(of: "port", on: b)
            b.read()
            #expect(b.names == ["port", "web"])
        }
    }

    /// An earlier version did not keep who had written a definition.
    @Test func aCopyThatDoesNotSayWhoWroteItIsTakenForAnothers() async throws {
        try await withHosts { plain, _, _ in
            try await plain.driver.create("web", options: ["o": "suid"])
            try await plain.driver.create("port", options: ["o": "port=4000"])
            for name in ["web", "port"] {
                let file = plain.fixture.settings.volumes.stateDirectory.appending("volumes/\(name).json")
                let text = String(decoding: try readWholeFile(file, limit: 1 << 16), as: UTF8.self)
                #expect(text.contains("createdHere"))
                try replaceFile(file, with: Array(text.replacing(/,\s*"createdHere": true/, with: "").utf8))
            }
            let host = try host(plain, options: "nosuid")
            #expect(host.names == ["port", "web"])
            #expect(try await mountOptions(of: "web", on: host).contains("nosuid"))
            let message = try await refusal { _ = try await host.driver.mount("port", id: "1") }
            #expect(message.contains("option port in o is not taken from the share"), "\(message)")
        }
    }
}
