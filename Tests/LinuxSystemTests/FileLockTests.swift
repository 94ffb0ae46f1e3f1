// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

struct FileLockTests {
    private final class Progress: Sendable {
        let isDone = Atomic(false)
        let wasDoneBefore = Atomic(false)
        let hasReturned = Atomic(false)
    }

    @Test func onlyOneHasIt() async throws {
        try await withScratchFolder { folder in
            let path = folder.appending("lock")
            let lock = try #require(try FileLock.attempt(path))
            #expect(try FileLock.attempt(path) == nil)
            #expect(try FileLock.wait(for: path, until: Deadline(after: .milliseconds(30))) == nil)
            lock.leaveToChildren()
            // A process that another test starts at this moment has a copy of the descriptor, and with it the lock, until execve(2).
            try await eventually("it is free") { try FileLock.attempt(path) != nil }
        }
    }

    @Test func aLockOnARemovedFileIsNone() async throws {
        try await withScratchFolder { folder in
            let path = folder.appending("lock")
            let first = try #require(try FileLock.attempt(path))
            try removeFile(path, durable: false)
            let second = try #require(try FileLock.attempt(path))
            #expect(try FileLock.attempt(path) == nil)
            withExtendedLifetime((first, second)) {}
        }
    }

    @Test func withoutTheFolderThereIsNone() async throws {
        try await withScratchFolder { folder in
            let error = #expect(throws: SystemError.self) { try FileLock.attempt(folder.appending("none").appending("lock")) }
            #expect(error?.errno == .noSuchFileOrDirectory)
        }
    }

    @Test func whoRingsWaitsUntilItIsDone() async throws {
        try await withScratchFolder { folder in
            // Longer than an address has room for.
            let deep = folder.appending(String(repeating: "d", count: 120))
            try makeFolder(deep, mode: 0o700)
            let path = deep.appending("control")
            let refused = #expect(throws: SystemError.self) { try DoorbellSocket.ring(path, until: Deadline(after: .seconds(1))) }
            #expect(refused?.errno == .noSuchFileOrDirectory)
            let bell = try DoorbellSocket(at: path)
            #expect(try !DoorbellSocket.ring(path, until: Deadline(after: .milliseconds(20))))
            let progress = Progress()
            try BlockingThread.start(named: "rings") {
                let answered = try? DoorbellSocket.ring(path, until: Deadline(after: .seconds(200)))
                progress.wasDoneBefore.store(answered == true && progress.isDone.load(ordering: .acquiring), ordering: .releasing)
                progress.hasReturned.store(true, ordering: .releasing)
            }
            try await eventually("the one who rang goes on") {
                bell.answer { progress.isDone.store(true, ordering: .releasing) }
                return progress.hasReturned.load(ordering: .acquiring)
            }
            let wasDoneBefore = progress.wasDoneBefore.load(ordering: .acquiring)
            #expect(wasDoneBefore)
        }
    }

    @Test func aFileIsTheSameByAnyPath() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("file").string
            try replaceFile(FilePath(file), with: [1], durable: false)
            symlink(file, folder.appending("link").string)
            let identity = try FileIdentity(at: file)
            #expect(identity.isSame(as: try FileIdentity(at: folder.appending("link").string)))
            #expect(try FileIdentity(at: folder.string).isFolder && !identity.isFolder)
            try replaceFile(FilePath(file), with: [1], durable: false)
            #expect(!identity.isSame(as: try FileIdentity(at: file)))
        }
    }
}
