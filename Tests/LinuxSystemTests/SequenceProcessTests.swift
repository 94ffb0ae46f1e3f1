// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

/// How the process that makes the calls lives and dies.
@Suite(.timeLimit(.minutes(5))) struct SequenceProcessTests {
    private func reason(_ end: SequenceEnd) -> SequenceKillReason? {
        if case .killed(let reason) = end { reason } else { nil }
    }

    @Test func isKilledAtTheDeadline() async throws {
        try await withScratchFolder { folder in
            let fifo = folder.appending("fifo")
            try #require(mkfifo(fifo.string, 0o600) == 0)
            let name = uniqueProcessName()
            let sequence = SystemCallSequence()
            sequence.add(.nameProcess(name))
            let open = sequence.open(fifo, O_RDWR)
            let buffer = sequence.buffer(1)
            let read = sequence.add("read", CallNumber.read, on: "fifo", [.result(open), .buffer(buffer), .value(1)])
            let after = sequence.open(fifo, O_RDWR)
            let deadline = Deadline(after: .seconds(3))
            let end = try await BlockingThread.run(named: "deadline") { try sequence.run(until: deadline) }
            #expect(deadline.hasPassed)
            #expect(reason(end) == .deadline)
            #expect(sequence.interruptedCall == "read")
            #expect(sequence.result(of: read) == .interrupted)
            #expect(sequence.result(of: after) == .notRun)
            #expect(sequence.failedCall == nil)
            #expect(MountNamespace.processes(named: name).isEmpty)
        }
    }

    @Test func isKilledWhenItIsCancelled() async throws {
        let name = uniqueProcessName()
        let sequence = SystemCallSequence()
        sequence.add(.nameProcess(name))
        sequence.waitForEver()
        let cancellation = try Cancellation()
        let limit = Deadline(after: .seconds(1000))
        async let end: SequenceEnd = BlockingThread.run(named: "cancelled") { try sequence.run(until: limit, cancellation: cancellation) }
        try await waitForProcesses(named: name, count: 1, inCall: CallNumber.ppoll)
        cancellation.cancel()
        #expect(reason(try await end) == .cancelled)
        #expect(!limit.hasPassed)
        #expect(sequence.interruptedCall == "ppoll")
        #expect(MountNamespace.processes(named: name).isEmpty)
    }

    @Test func isEndedByItsWatchInWhichItIsSeen() throws {
        let name = uniqueProcessName()
        let sequence = SystemCallSequence()
        sequence.add(.nameProcess(name))
        sequence.waitForEver()
        let watch = SequenceWatch(period: .milliseconds(10)) { process in
            // It waits in poll(2)'s part of the kernel, whatever this kernel calls it.
            !(kernelFunction(inWhich: process)?.contains("poll") ?? false)
        }
        let limit = Deadline(after: .seconds(1000))
        let end = try sequence.run(until: limit, watch: watch)
        #expect(reason(end) == .unwanted)
        #expect(!limit.hasPassed)
        #expect(MountNamespace.processes(named: name).isEmpty)
    }

    @Test func aProcessThatIsNotThereWaitsInNoFunction() { #expect(kernelFunction(inWhich: .max) == nil) }

    @Test func doesNotStartToWaitIfItIsCancelledAlready() throws {
        let sequence = SystemCallSequence()
        sequence.waitForEver()
        let cancellation = try Cancellation()
        cancellation.cancel()
        #expect(reason(try sequence.run(until: Deadline(after: .seconds(1000)), cancellation: cancellation)) == .cancelled)
    }

    /// Otherwise a caller's connection would stay open as long as a server is dead.
    @Test func holdsNoDescriptorOfThisProcess() async throws {
        var ends: [CInt] = [0, 0]
        // Not for the processes that other tests start at the same time.
        try #require(pipe(&ends) == 0)
        for end in ends { try #require(fcntl(end, F_SETFD, FD_CLOEXEC) == 0) }
        defer { close(ends[0]) }
        let name = uniqueProcessName()
        let sequence = SystemCallSequence()
        sequence.add(.nameProcess(name))
        sequence.waitForEver()
        let cancellation = try Cancellation()
        async let end: SequenceEnd = BlockingThread.run(named: "descriptors") {
            try sequence.run(until: Deadline(after: .seconds(1000)), cancellation: cancellation)
        }
        try await waitForProcesses(named: name, count: 1, inCall: CallNumber.ppoll)
        close(ends[1])
        let hangUp = try await BlockingThread.run(named: "hang-up") { [read = ends[0]] in
            var request = pollfd(fd: read, events: Int16(POLLIN), revents: 0)
            return poll(&request, 1, 100_000) == 1 && request.revents & Int16(POLLHUP) != 0
        }
        #expect(hangUp)
        cancellation.cancel()
        _ = try await end
    }

    @Test func sixtyFourWaitAtOnceAndEachGetsItsOwn() async throws {
        try await withScratchFolder { folder in
            let fifo = folder.appending("fifo")
            try #require(mkfifo(fifo.string, 0o600) == 0)
            let writer = Glibc.open(fifo.string, O_RDWR | O_CLOEXEC)
            defer { close(writer) }
            let name = uniqueProcessName()
            let bytes = try await withThrowingTaskGroup { group in
                for _ in 0..<64 {
                    group.addTask {
                        try await BlockingThread.run(named: "many") {
                            let sequence = SystemCallSequence()
                            sequence.add(.nameProcess(name))
                            let open = sequence.open(fifo, O_RDONLY)
                            let buffer = sequence.buffer(1)
                            sequence.add("read", CallNumber.read, on: "fifo", [.result(open), .buffer(buffer), .value(1)])
                            guard case .finished = try sequence.run(until: Deadline(after: .seconds(1000))) else { return 255 as UInt8 }
                            return sequence.bytes(of: buffer, count: 1)[0]
                        }
                    }
                }
                group.addTask {
                    try await waitForProcesses(named: name, count: 64, inCall: CallNumber.read)
                    let content = Array(UInt8(0)..<64)
                    try #require(write(writer, content, 64) == 64)
                    return 254
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(bytes.sorted() == Array(0..<64) + [254])
            #expect(MountNamespace.processes(named: name).isEmpty)
        }
    }

    @Test func aThousandLeaveNoProcessAndNoDescriptor() async throws {
        let name = uniqueProcessName()
        // Others run at the same time in this process and have some of their own.
        let before = descriptors(of: "pidfd")
        try await BlockingThread.run(named: "thousand") {
            for round in 0..<1000 {
                let sequence = SystemCallSequence()
                sequence.add(.nameProcess(name))
                _ = sequence.open("/", O_RDONLY)
                if round.isMultiple(of: 4) {
                    sequence.waitForEver()
                    _ = try sequence.run(until: Deadline(after: .zero))
                } else {
                    _ = try sequence.run(until: Deadline(after: .seconds(60)))
                }
            }
        }
        #expect(descriptors(of: "pidfd") < before + 200)
        // A zombie would still bear the name.
        #expect(MountNamespace.processes(named: name).isEmpty)
    }

    @Test func itsMemoryIsGivenBack() async throws {
        let before = try residentBytes()
        try await BlockingThread.run(named: "memory") {
            for _ in 0..<1000 {
                let sequence = SystemCallSequence()
                _ = sequence.buffer(1 << 20)
                _ = try sequence.run(until: Deadline(after: .seconds(60)))
            }
        }
        #expect(try residentBytes() < before + 500 << 20)
    }

    private func residentBytes() throws -> Int {
        let fields = String(decoding: try readWholeFile("/proc/self/statm", limit: 256), as: UTF8.self).split(separator: " ")
        return try #require(Int(fields[1])) * Int(sysconf(CInt(_SC_PAGESIZE)))
    }

    private func descriptors(of kind: String) -> Int {
        let folder = "/proc/self/fd"
        return ((try? namesInFolder(FilePath(folder))) ?? []).count { name in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)"))?.contains(kind) == true
        }
    }
}
