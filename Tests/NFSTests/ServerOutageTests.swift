// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Logging
import NFS
import SystemPackage
import TestSupport
import Testing
import Volumes

/// The breaker for servers that do not answer, with servers on loopback addresses.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct ServerOutageTests {
    private func states(_ firstPause: Duration) -> ServerStates {
        ServerStates(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, firstPause: firstPause)
    }

    private func failure(_ states: ServerStates, _ folder: FilePath, port: UInt16, path: String = "/export") async throws -> StorageError {
        let (target, staging) = (folder.appending("target"), folder.appending("staging"))
        try makeFolders(target)
        let source = try source(port: port, path: path)
        let mounter = Mounter(stagingFolder: staging, program: "test", gate: states)
        let request = MountRequest(source, at: MountDestination(target.string))
        let error = await #expect(throws: StorageError.self) {
            try await blocking { try mounter.mount(request, until: Deadline(after: .seconds(20))) }
        }
        return try #require(error)
    }

    private func source(port: UInt16, path: String = "/export") throws -> any FileSystemSource {
        var settings = NFSSettings()
        settings.limits.probe = .seconds(3)
        return try NFS(settings).source(["server": "127.0.0.1", "path": path, "o": "port=\(port)"])
    }

    @Test(arguments: [(Loopback.Manners.mute, StorageError.Code.mute), (.silent, .silent)])
    func oneThatDoesNotAnswerIsAskedOnceForAllItsVolumes(manners: Loopback.Manners, code: StorageError.Code) async throws {
        try await withScratchFolder { folder in
            let states = states(.seconds(600))
            let server = try Loopback(manners)
            defer { server.close() }
            let first = try await failure(states, folder, port: server.port)
            #expect(first.code == code && first.reason.hasPrefix("the server does not answer"))
            let second = try await failure(states, folder, port: server.port, path: "/other")
            #expect(second.code == code)
            // Only the breaker says this, and it asks nobody.
            #expect(second.description.hasPrefix("cannot mount 127.0.0.1:/other: 127.0.0.1:\(server.port) has not answered since"))
            #expect(second.description.hasSuffix(first.reason))
            #expect(manners == .silent || server.callers.count == 1)
        }
    }

    @Test func oneThatRefusesIsAskedByEach() async throws {
        try await withScratchFolder { folder in
            let states = states(.seconds(600))
            let port = try closedPort()
            for _ in 0..<2 {
                let error = try await failure(states, folder, port: port)
                #expect(error.code == .refused && error.reason.hasPrefix("the server does not answer"))
            }
            // It begins to listen, and is asked at once.
            let server = try Loopback(.answers, port: port)
            defer { server.close() }
            #expect(try await failure(states, folder, port: port).code != .refused)
            #expect(server.callers.count >= 1)
        }
    }

    @Test(arguments: [true, false]) func oneThatComesBackIsUsedAgain(isProbed: Bool) async throws {
        try await withScratchFolder { folder in
            let states = states(isProbed ? .seconds(600) : .milliseconds(100))
            let mute = try Loopback(.mute)
            #expect(try await failure(states, folder, port: mute.port).code == .mute)
            mute.close()
            let server = try Loopback(.answers, port: mute.port)
            defer { server.close() }
            if isProbed {
                let source = try source(port: mute.port)
                let hasAnswered = try await blocking { try states.probe(source, until: Deadline(after: .seconds(100))) }
                #expect(hasAnswered)
                #expect(try await failure(states, folder, port: mute.port).code != .mute)
                #expect(states.state(of: "127.0.0.1:\(mute.port)")?.outage?.code != .mute)
            } else {
                try await eventually("it is asked again by itself", within: .seconds(60)) {
                    try await failure(states, folder, port: mute.port).code != .mute
                }
            }
        }
    }
}
