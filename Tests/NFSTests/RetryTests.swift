// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Logging
import NFS
import SystemPackage
import TestSupport
import Testing

@testable import Volumes

/// `retry=`, with servers on loopback addresses.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct RetryTests {
    private func mounter(_ folder: FilePath) -> Mounter { Mounter(stagingFolder: folder.appending("staging"), program: "test") }

    private func request(_ folder: FilePath, _ options: String) throws -> MountRequest {
        try makeFolders(folder.appending("target"))
        return MountRequest(
            try NFS().source(["server": "127.0.0.1", "path": "/export", "o": options]),
            at: MountDestination(folder.appending("target").string))
    }

    /// As a volume is mounted.
    private func mount(_ mounter: Mounter, _ request: MountRequest, _ cancellation: Cancellation) throws {
        let retries = ServerRetries(
            period: request.source.retryPeriod(for: .volume) ?? .zero, takesUnknownNames: false, subject: "mounting",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        _ = try retries.run(until: Deadline(after: mounter.limits.mount), cancellation) { mayWait throws(StorageError) in
            var request = request
            request.mayWait = mayWait
            return try mounter.mount(request, cancellation: cancellation)
        }
    }

    private func failure(_ mounter: Mounter, _ request: MountRequest, _ cancellation: Cancellation? = nil) async throws -> StorageError {
        let error = await #expect(throws: StorageError.self) {
            try await blocking { try mount(mounter, request, cancellation ?? Cancellation()) }
        }
        #expect(try MountTable().topmost(at: request.destination.target) == nil)
        return try #require(error)
    }

    @Test func aCallerThatLeavesEndsTheRetries() async throws {
        try await withScratchFolder { folder in
            let port = try closedPort()
            let gone = try Cancellation()
            let mounter = mounter(folder)
            let request = try request(folder, "retry=5,port=\(port)")
            let began = ContinuousClock.now
            async let ended: StorageError = failure(mounter, request, gone)
            gone.cancel()
            #expect([.cancelled, .refused].contains(try await ended.code))
            #expect(ContinuousClock.now - began < .seconds(200))
        }
    }

    /// The first attempt finds a server that hangs up; the second goes on to the kernel.
    @Test func retriesUntilTheServerIsThere() async throws {
        try await withScratchFolder { folder in
            let server = try Loopback(.answersTheSecond)
            defer { server.close() }
            let gone = try Cancellation()
            let mounter = mounter(folder)
            let request = try request(folder, "retry=5,port=\(server.port)")
            async let ended: StorageError = failure(mounter, request, gone)
            try await server.waitForCallers(2)
            // What the kernel makes of a server that only answers NULL is not this test's affair.
            gone.cancel()
            #expect(try await ended.code != .mute)
        }
    }

    @Test(arguments: ["", "retry=0,"]) func withoutRetryThereIsOneAttempt(options: String) async throws {
        try await withScratchFolder { folder in
            let server = try Loopback(.hangsUp)
            defer { server.close() }
            let request = try request(folder, "\(options)port=\(server.port)")
            let error = try await failure(mounter(folder), request)
            #expect(error.code == .mute)
            #expect(error.mayPass)
            #expect(server.callers.count == 1)
        }
    }
}
