// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct KeptThreadsTests {
    private let threads = KeptThreads(named: "kept", patience: .seconds(100))

    /// The number of the thread that asks (proc_pid_stat(5)).
    private static func threadNumber() throws -> String {
        String(decoding: try readWholeFile("/proc/thread-self/stat", limit: 1024).prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
    }

    @Test func givesBackValuesAndErrors() async throws {
        #expect(try await threads.run { 7 } == 7)
        await #expect(throws: SystemError("x", .ioError, on: "y")) { try await threads.run { throw SystemError("x", .ioError, on: "y") } }
    }

    @Test func oneThreadDoesWorkThatComesOneAfterAnother() async throws {
        var seen: Set<String> = []
        for _ in 0..<50 {
            seen.insert(try await threads.run { try Self.threadNumber() })
            // A thread waits for more only after it has given its answer.
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(seen.count < 50)
    }

    /// More than any pool has: each waits until all are there.
    @Test func noneWaitsForAnother() async throws {
        let count = 100
        for _ in 0..<3 {
            let arrived = Counter()
            let together = try Cancellation()
            try await withThrowingTaskGroup { group in
                for _ in 0..<count {
                    group.addTask { [threads] in
                        try await threads.run {
                            if arrived.increment() == count { together.cancel() }
                            var request = pollfd(fd: together.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
                            try #require(poll(&request, 1, 200_000) == 1)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func aThreadWithoutWorkEnds() async throws {
        let threads = KeptThreads(named: "kept", patience: .milliseconds(20))
        let thread = try await threads.run { try Self.threadNumber() }
        try await eventually("the thread has ended") { access("/proc/self/task/\(thread)", F_OK) != 0 }
        #expect(try await threads.run { 7 } == 7)
    }

    /// Threads end and get work at the same moment.
    @Test func noWorkIsLostWhenThreadsEnd() async throws {
        let threads = KeptThreads(named: "kept", patience: .milliseconds(1))
        for number in 0..<500 {
            #expect(try await threads.run { number } == number)
            try await Task.sleep(for: .microseconds(900 + number % 200))
        }
    }
}
