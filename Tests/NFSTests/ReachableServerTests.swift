// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import NFS

/// From a name to addresses that answer, and the words where none does.
@Suite(.timeLimit(.minutes(5))) struct ReachableServerTests {
    private func find(
        _ server: String, _ options: String, versions: String = "4.1", probe: Duration = .seconds(100),
        cancellation: Cancellation? = nil
    ) async throws -> [ReachableServer] {
        try await blocking {
            var settings = NFSSettings()
            settings.limits.probe = probe
            let export = try NFSExport(["server": server, "path": "/export", "nfsvers": versions], settings: settings)
            return try ReachableServer.find(
                for: export, NFSOptions(options), deadline: Deadline(after: .seconds(1000)), cancellation: cancellation)
        }
    }

    private func failure(
        _ server: String, _ options: String, versions: String = "4.1", probe: Duration = .seconds(100),
        cancellation: Cancellation? = nil
    ) async throws -> StorageError {
        let error = await #expect(throws: StorageError.self) {
            try await find(server, options, versions: versions, probe: probe, cancellation: cancellation)
        }
        let text = try #require(error).description
        #expect(text.hasPrefix("cannot mount "))
        #expect(!text.contains("\n"))
        return error!
    }

    @Test func theOneThatAnswersIsToldWithOurAddress() async throws {
        let server = try Loopback(.answers)
        defer { server.close() }
        let found = try await find("127.0.0.1", "port=\(server.port)")
        #expect(found.map(\.address.text) == ["127.0.0.1"])
        #expect(found.map(\.localAddress) == ["127.0.0.1"])
    }

    /// `addr=` is where the server is; the name is what the mount is called.
    @Test func theAddressInOptionsBeatsTheName() async throws {
        let server = try Loopback(.answers)
        defer { server.close() }
        #expect(try await find("nas.invalid", "addr=127.0.0.1,port=\(server.port)").map(\.address.text) == ["127.0.0.1"])
    }

    @Test func nobodyListens() async throws {
        let port = try closedPort()
        let error = try await failure("127.0.0.1", "port=\(port)")
        #expect(error.code == .refused)
        #expect(error.mayPass)
        #expect(
            error.description
                == "cannot mount 127.0.0.1:/export: the server does not answer at TCP port \(port) (127.0.0.1: Connection refused (ECONNREFUSED)); is the NFS server running there (systemctl status nfs-server)?"
        )
    }

    /// Nobody listens at 2049 of that address, but an rpcbind runs there.
    private func findByRPCBind(_ port: UInt16, at address: String) async throws -> [ReachableServer] {
        let rpcbind = try Loopback(.names(port), at: address)
        defer { rpcbind.close() }
        return try await blocking {
            var settings = NFSSettings()
            settings.portmapPort = rpcbind.port
            let export = try NFSExport(["server": address, "path": "/export", "nfsvers": "3"], settings: settings)
            return try ReachableServer.find(for: export, NFSOptions(""), deadline: Deadline(after: .seconds(1000)), cancellation: nil)
        }
    }

    /// The kernel would try again for as long as it is given.
    @Test(arguments: [UInt16(0), 2049]) func anRPCBindWithoutAnotherPortIsNoServer(port: UInt16) async throws {
        let error = await #expect(throws: StorageError.self) { try await findByRPCBind(port, at: "127.0.0.79") }
        #expect(error?.code == .refused)
        #expect(error?.description.contains("TCP port 2049") == true)
    }

    @Test func aServerThatListensElsewhereIsFoundByItsRPCBind() async throws {
        let server = try Loopback(.answers, at: "127.0.0.79")
        defer { server.close() }
        #expect(try await findByRPCBind(server.port, at: "127.0.0.79").map(\.address.text) == ["127.0.0.79"])
        await #expect(throws: StorageError.self) { try await findByRPCBind(closedPort(), at: "127.0.0.79") }
    }

    @Test(arguments: [
        (Loopback.Manners.mute, StorageError.Code.mute, "connected, but no answer to a call within 1 s", "does not speak NFS"),
        (.hangsUp, .mute, "(ECONNRESET)", "does not speak NFS"), (.silent, .silent, "no answer to the connection within 1 s", "firewall"),
    ])
    func badManners(manners: Loopback.Manners, kind: StorageError.Code, cause: String, next: String) async throws {
        let server = try Loopback(manners)
        defer { server.close() }
        let limit: Duration = manners == .hangsUp ? .seconds(100) : .milliseconds(1500)
        let error = try await failure("127.0.0.1", "port=\(server.port)", probe: limit)
        #expect(error.code == kind)
        #expect(error.mayPass)
        #expect(error.description.contains("127.0.0.1: "))
        #expect(error.description.contains(cause))
        #expect(error.description.contains(next))
        #expect(error.description.contains("port \(server.port)"))
    }

    @Test func aNameThatIsNotThere() async throws {
        let error = try await failure("nas.invalid", "")
        #expect(error.code == .nameNotResolved)
        #expect(error.description.contains("the server name nas.invalid does not resolve ("))
        #expect(error.description.contains("getent ahosts nas.invalid"))
    }

    @Test func aFamilyThatTheNameDoesNotHave() async throws {
        let error = try await failure("127.0.0.1", "proto=tcp6")
        #expect(error.code == .nameNotResolved)
        #expect(error.description.contains("127.0.0.1 has no IPv6 address, which proto=tcp6 asks for"))
    }

    /// There is no cheap question for them.
    @Test(arguments: ["udp", "rdma"]) func otherTransportsAreNotAsked(transport: String) async throws {
        let found = try await find("192.0.2.7", "\(transport),port=\(closedPort())")
        #expect(found.map(\.address.text) == ["192.0.2.7"])
        #expect(found.map(\.localAddress) == [""])
    }

    @Test func aCallerThatLeavesWhileTheServerIsAsked() async throws {
        let gone = try Cancellation()
        let server = try Loopback(.mute)
        defer { server.close() }
        async let ended = failure("127.0.0.1", "port=\(server.port)", probe: .seconds(1000), cancellation: gone)
        try await server.waitForCallers(1)
        gone.cancel()
        #expect(try await ended.code == .cancelled)
    }

    @Test func aCallerThatLeftIsNotABadServerOrName() async throws {
        let gone = try Cancellation()
        gone.cancel()
        let server = try Loopback(.mute)
        defer { server.close() }
        for name in ["127.0.0.1", "nas.invalid"] {
            let error = try await failure(name, "port=\(server.port)", probe: .seconds(1000), cancellation: gone)
            #expect(error.code == .cancelled)
            #expect(!error.mayPass)
            #expect(error.description == "cannot mount \(name):/export: given up because the caller has gone")
        }
    }
}
