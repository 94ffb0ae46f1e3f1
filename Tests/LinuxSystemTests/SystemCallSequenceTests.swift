// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

/// What is called, in which order, with what.
struct SystemCallSequenceTests {
    private func run(_ sequence: SystemCallSequence) throws {
        guard case .finished = try sequence.run(until: Deadline(after: .seconds(60))) else {
            Issue.record("the sequence did not finish")
            return
        }
    }

    @Test func aCallUsesTheResultsOfEarlierOnes() async throws {
        try await withScratchFolder { folder in
            let content = Array("0123456789".utf8)
            try replaceFile(folder.appending("in"), with: content)
            let sequence = SystemCallSequence()
            let source = sequence.open(folder.appending("in"), O_RDONLY)
            let buffer = sequence.buffer(64)
            let count = sequence.add("read", CallNumber.read, on: "in", [.result(source), .buffer(buffer), .value(64)])
            let target = sequence.open(folder.appending("out"), O_WRONLY | O_CREAT, mode: 0o600)
            let written = sequence.add("write", CallNumber.write, on: "out", [.result(target), .buffer(buffer), .result(count)])
            #expect(sequence.result(of: count) == .notRun)
            try run(sequence)
            #expect(sequence.failedCall == nil)
            #expect(sequence.result(of: count) == .success(10))
            #expect(sequence.result(of: written) == .success(10))
            #expect(sequence.bytes(of: buffer, count: 10) == content)
            #expect(sequence.bytes(of: buffer, count: 1000).count == 64)
            #expect(sequence.bytes(of: buffer, count: -1) == [])
            #expect(try readWholeFile(folder.appending("out"), limit: 100) == content)
        }
    }

    @Test func theFirstFailureEndsIt() async throws {
        try await withScratchFolder { folder in
            let sequence = SystemCallSequence()
            let root = sequence.add(.openDirectory(folder.string, operand: folder.string))
            let first = sequence.open(folder.appending("missing"), O_RDONLY)
            let second = sequence.add(.makeDirectory("made", in: root, mode: 0o700, operand: "made"))
            try run(sequence)
            #expect(sequence.failedCall == first)
            #expect(sequence.error(of: first) == SystemError("openat", .noSuchFileOrDirectory, on: folder.appending("missing").string))
            #expect(sequence.result(of: first) == .failure(.noSuchFileOrDirectory))
            #expect(sequence.result(of: second) == .notRun)
            #expect(sequence.error(of: second) == nil)
            #expect(sequence.error(of: root) == nil)
            #expect(try namesInFolder(folder) == [])
        }
    }

    @Test func aFailureComesBackWithItsStage() async throws {
        try await withScratchFolder { folder in
            let sequence = SystemCallSequence()
            sequence.stage = .init("opening")
            let root = sequence.add(.openDirectory(folder.string, operand: folder.string))
            sequence.stage = .init("making", "a")
            sequence.add(.makeDirectory("a/b", in: root, mode: 0o700, operand: "a/b"))
            sequence.add(.openDirectory("a", in: root, operand: "a"))
            sequence.stage = .init("after")
            sequence.add(.makeDirectory("c", in: root, mode: 0o700, operand: "c"))
            try run(sequence)
            let failure = try #require(sequence.failure)
            #expect(failure.stage == .init("making", "a"))
            #expect(failure.error == SystemError("openat", .noSuchFileOrDirectory, on: "a"))
            #expect(sequence.errors(in: .init("making", "a")).map(\.call) == ["mkdirat", "openat"])
            #expect(sequence.errors(in: .init("opening")).isEmpty)
            #expect(sequence.errors(in: .init("after")).isEmpty)
        }
    }

    /// How many there are can be decided by words that come from outside.
    @Test func tooManyCallsAreAnError() throws {
        let sequence = SystemCallSequence()
        var last = sequence.add("getppid", CallNumber.getppid, on: "0", [])
        for number in 1..<16_384 { last = sequence.add("getppid", CallNumber.getppid, on: "\(number)", []) }
        try run(sequence)
        #expect(sequence.failedCall == nil)
        if case .success = sequence.result(of: last) {} else { Issue.record("the last call was not made") }
        let more = SystemCallSequence()
        for number in 0..<40_000 {
            last = more.add("getppid", CallNumber.getppid, on: "\(number)", [.value(0)], if: number == 0 ? nil : last)
        }
        let error = #expect(throws: SystemError.self) { try more.run(until: Deadline(after: .seconds(60))) }
        #expect(error?.errno == .argListTooLong)
    }

    @Test func optionsSayWhatAFailureMeans() async throws {
        try await withScratchFolder { folder in
            let sequence = SystemCallSequence()
            let root = sequence.add(.openDirectory(folder.string, operand: folder.string))
            let tolerated = sequence.add(.removeDirectory("none", in: root, operand: "none", options: .mayFail))
            let early = sequence.add(.removeDirectory("none", in: root, operand: "none", options: .onFailure))
            let made = sequence.add(.makeDirectory("made", in: root, mode: 0o700, operand: "made"))
            let failing = sequence.add(.removeDirectory("none", in: root, operand: "none", options: []))
            let skipped = sequence.add(.makeDirectory("skipped", in: root, mode: 0o700, operand: "skipped"))
            let cleanup = sequence.add(.removeDirectory("made", in: root, operand: "made", options: .onFailure))
            let last = sequence.add(.removeDirectory("also none", in: root, operand: "also none", options: .final))
            try run(sequence)
            #expect(sequence.result(of: tolerated) == .failure(.noSuchFileOrDirectory))
            #expect(sequence.result(of: early) == .notRun)
            #expect(sequence.result(of: made) == .success(0))
            #expect(sequence.failedCall == failing)
            #expect(sequence.result(of: skipped) == .notRun)
            #expect(sequence.result(of: cleanup) == .success(0))
            #expect(sequence.result(of: last) == .failure(.noSuchFileOrDirectory))
            #expect(try namesInFolder(folder) == [])
        }
    }

    /// What is final runs in good times too, and its failure is nobody's.
    @Test func aFinalCallRunsWithoutAFailure() async throws {
        try await withScratchFolder { folder in
            let sequence = SystemCallSequence()
            let root = sequence.add(.openDirectory(folder.string, operand: folder.string))
            let last = sequence.add(.removeDirectory("none", in: root, operand: "none", options: .final))
            let after = sequence.add(.makeDirectory("after", in: root, mode: 0o700, operand: "after"))
            try run(sequence)
            #expect(sequence.failedCall == nil)
            #expect(sequence.result(of: last) == .failure(.noSuchFileOrDirectory))
            #expect(sequence.result(of: after) == .success(0))
        }
    }

    @Test func aConditionIsThatAnotherCallSucceeded() async throws {
        try await withScratchFolder { folder in
            try makeFolder(folder.appending("old"), mode: 0o711)
            let sequence = SystemCallSequence()
            let root = sequence.add(.openDirectory(folder.string, operand: folder.string))
            let old = sequence.add(.makeDirectory("old", in: root, mode: 0o700, operand: "old"))
            let oldHandle = sequence.add(.openMade(Array("old".utf8), in: root, operand: "old", if: old))
            let oldMode = sequence.add(.changeMode(of: oldHandle, to: 0o777, operand: "old", if: old))
            let new = sequence.add(.makeDirectory("new", in: root, mode: 0o700, operand: "new"))
            let newHandle = sequence.add(.openMade(Array("new".utf8), in: root, operand: "new", if: new))
            let newMode = sequence.add(.changeMode(of: newHandle, to: 0o1777, operand: "new", if: new))
            let chained = sequence.add(.changeMode(of: newHandle, to: 0o700, operand: "new", if: oldMode))
            try run(sequence)
            #expect(sequence.result(of: old) == .failure(.fileExists))
            #expect(sequence.result(of: oldMode) == .notRun)
            #expect(sequence.result(of: newMode) == .success(0))
            #expect(sequence.result(of: chained) == .notRun)
            var status = stat()
            #expect(lstat(folder.appending("old").string, &status) == 0 && status.st_mode & 0o7777 == 0o711)
            #expect(lstat(folder.appending("new").string, &status) == 0 && status.st_mode & 0o7777 == 0o1777)
        }
    }

    /// A failure's number must never be taken for a descriptor: -100 is AT_FDCWD.
    @Test func theResultOfAFailureIsNotUsed() async throws {
        try await withScratchFolder { folder in
            let sequence = SystemCallSequence()
            let root = sequence.add(.openDirectory(folder.string, operand: folder.string))
            let tolerated = sequence.add(.exists("none", in: root, operand: "none"))
            let user = sequence.add(.makeDirectory("x", in: tolerated, mode: 0o700, operand: "x"))
            try run(sequence)
            #expect(sequence.result(of: user) == .notRun)
            #expect(sequence.failedCall == nil)
        }
    }

    @Test(arguments: ["\0", "a\0b", "a\0"]) func aTextWithANULIsRefusedBeforeAnythingIsDone(text: String) async throws {
        try await withScratchFolder { folder in
            let sequence = SystemCallSequence()
            let root = sequence.add(.openDirectory(folder.string, operand: folder.string))
            sequence.add(.makeDirectory("made", in: root, mode: 0o700, operand: "made"))
            sequence.add(.makeDirectory(text, in: root, mode: 0o700, operand: "hostile"))
            let error = #expect(throws: SystemError.self) { try sequence.run(until: Deadline(after: .seconds(60))) }
            #expect(error?.errno == .invalidArgument)
            #expect(error?.description.contains("NUL") == true)
            let names = try namesInFolder(folder)
            #expect(names.isEmpty)
        }
    }

    @Test func anEmptySequenceFinishes() throws {
        let sequence = SystemCallSequence()
        try run(sequence)
        #expect(sequence.failedCall == nil)
        #expect(sequence.interruptedCall == nil)
    }
}
