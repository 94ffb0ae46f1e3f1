// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import TestSupport
import Testing

@testable import NFS

/// What a source says of its server without mounting anything.
@Suite(.timeLimit(.minutes(5))) struct NFSSourceTests {
    private func source(_ options: [String: String], probe: Duration = .seconds(100)) throws -> any FileSystemSource {
        var settings = NFSSettings()
        settings.limits.probe = probe
        return try NFS(settings).source(options["device"] == nil ? ["path": "/export"].merging(options) { $1 } : options)
    }

    @Test(
        arguments: [
            (["server": "nas"], "nas"), (["server": "NAS.Example"], "nas.example"), (["server": "2001:DB8::7"], "[2001:db8::7]"),
            (["server": "nas", "o": "port=2049"], "nas"), (["server": "nas", "o": "port=2050"], "nas:2050"),
            (["server": "::1", "o": "port=2050"], "[::1]:2050"), (["server": "nas", "path": "/other", "nfsvers": "3"], "nas"),
            (["device": ":/data", "o": "addr=192.0.2.7"], "192.0.2.7"),
        ] as [([String: String], String)])
    func theKeyIsTheServerThatIsAsked(options: [String: String], key: String) throws {
        #expect(try source(options).serverKey == key)
    }

    private func probe(_ options: [String: String], limit: Duration = .seconds(100)) async throws -> Bool {
        try await blocking { try source(options, probe: limit).probe(until: Deadline(after: .seconds(200)), cancellation: nil) }
    }

    @Test func aServerThatAnswersIsSeen() async throws {
        let server = try Loopback(.answers)
        defer { server.close() }
        #expect(try await probe(["server": "127.0.0.1", "o": "port=\(server.port)"]))
    }

    @Test(arguments: [(Loopback.Manners.mute, StorageError.Code.mute), (.silent, .silent), (.hangsUp, .mute)])
    func oneThatDoesNotIsAnErrorAsOfAMount(manners: Loopback.Manners, code: StorageError.Code) async throws {
        let server = try Loopback(manners)
        defer { server.close() }
        let limit: Duration = manners == .hangsUp ? .seconds(100) : .milliseconds(500)
        let error = await #expect(throws: StorageError.self) {
            try await probe(["server": "127.0.0.1", "o": "port=\(server.port)"], limit: limit)
        }
        #expect(error?.code == code)
        #expect(error?.reason.hasPrefix("the server does not answer at TCP port \(server.port)") == true)
    }

    @Test func oneThatOnlyAMountCanAskIsNotAsked() async throws {
        #expect(try await !probe(["server": "127.0.0.1", "o": "proto=rdma"]))
    }
}
