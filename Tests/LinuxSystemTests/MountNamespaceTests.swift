// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

struct MountNamespaceTests {
    /// One above the highest process id that the kernel ever gives.
    private let nobody: Int32 = (1 << 22) + 1

    @Test func isTheSameForThisProcessByBothNames() {
        #expect(MountNamespace.identity(of: nil) != nil)
        #expect(MountNamespace.identity(of: nil) == MountNamespace.identity(of: getpid()))
        #expect(MountNamespace.identity(of: nobody) == nil)
    }

    @Test(.needs(.root)) func anUnsharedOneIsAnother() async throws {
        let result = try await command(["unshare", "-m", "readlink", "/proc/self/ns/mnt"])
        let own = try await command(["readlink", "/proc/self/ns/mnt"])
        #expect(result.status == 0)
        #expect(result.output != own.output)
        #expect("\(MountNamespace.identity(of: nil)!)".contains(own.output.dropLast()))
    }

    @Test func findsProcessesByName() async throws {
        #expect(MountNamespace.processes().contains(getpid()))
        #expect(!MountNamespace.processes().contains(nobody))
        let name = uniqueProcessName()
        #expect(MountNamespace.processes(named: name).isEmpty)
        let sequence = SystemCallSequence()
        sequence.add(.nameProcess(name))
        sequence.waitForEver()
        let stop = try Cancellation()
        async let running: SequenceEnd = BlockingThread.run(named: "named") {
            try sequence.run(until: Deadline(after: .seconds(1000)), cancellation: stop)
        }
        try await waitForProcesses(named: name, count: 1, inCall: CallNumber.ppoll)
        stop.cancel()
        _ = try await running
        #expect(MountNamespace.processes(named: name).isEmpty)
    }

    @Test func timestampsTellTheTimeNow() throws {
        let before = Date(timeIntervalSinceNow: -2)
        let text = timestamp()
        let compact = timestamp(compact: true)
        let parser = ISO8601DateFormatter()
        let date = try #require(parser.date(from: text))
        #expect(date > before && date.timeIntervalSinceNow < 60)
        parser.formatOptions = [.withYear, .withMonth, .withDay, .withTime, .withTimeZone]
        let compactDate = try #require(parser.date(from: compact))
        #expect(compactDate >= date && compactDate.timeIntervalSince(date) < 60)
        #expect(compact.utf8.allSatisfy { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "/") })
    }

    @Test func countsSecondsSinceTheBoot() throws {
        let uptime = String(decoding: try readWholeFile("/proc/uptime", limit: 256), as: UTF8.self)
        let seconds = try #require(uptime.split(separator: ".").first.flatMap { Int($0) })
        #expect(abs(secondsSinceBoot() - seconds) <= 60)
    }
}
