// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(5))) struct BlockingThreadTests {
    private func nameOfThread() throws -> String {
        String(decoding: try readWholeFile("/proc/thread-self/comm", limit: 64).dropLast(), as: UTF8.self)
    }

    @Test func givesBackValuesAndErrors() async throws {
        #expect(try await BlockingThread.run(named: "value") { 7 } == 7)
        await #expect(throws: SystemError("x", .ioError, on: "y")) {
            try await BlockingThread.run(named: "error") { throw SystemError("x", .ioError, on: "y") }
        }
    }

    @Test(arguments: [("nfsd-volume", "nfsd-volume"), ("a-name-of-more-than-15-bytes", "a-name-of-more-"), ("ääääääää", "blocking")])
    func bearsItsName(name: String, shown: String) async throws {
        #expect(try await BlockingThread.run(named: name) { try nameOfThread() } == shown)
    }

    /// More than any pool has: each waits until all are there.
    @Test func noneWaitsForAnother() async throws {
        let count = 100
        let arrived = Counter()
        let together = try Cancellation()
        try await withThrowingTaskGroup { group in
            for _ in 0..<count {
                group.addTask {
                    try await BlockingThread.run(named: "waiter") {
                        if arrived.increment() == count { together.cancel() }
                        var request = pollfd(fd: together.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
                        try #require(poll(&request, 1, 200_000) == 1)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(arrived.increment() == count + 1)
    }
}

private final class Counter: Sendable {
    private let value = Mutex(0)

    func increment() -> Int {
        value.withLock { value in
            value += 1
            return value
        }
    }
}
