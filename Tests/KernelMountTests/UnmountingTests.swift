// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import KernelMount

@Suite(.needs(.root), .timeLimit(.minutes(5))) struct UnmountingTests {
    private func mounter(_ folder: FilePath) -> Mounter { Mounter(stagingFolder: folder.appending("staging"), program: "test") }

    private func isMounted(_ path: FilePath) throws -> Bool { try MountTable().topmost(at: path.string) != nil }

    @Test func nothingMountedIsNoFailure() async throws {
        try await withScratchFolder { folder in
            let results = [try mounter(folder).unmount(folder.string), try mounter(folder).unmount(folder.appending("missing").string)]
            #expect(results == [.wasNotMounted, .wasNotMounted])
        }
    }

    @Test func aMountThatSomebodyUsesIsDetached() async throws {
        try await withScratchFolder { folder in
            let target = folder.appending("target")
            try makeFolder(target, mode: 0o700)
            try #require(mount("tmpfs", target.string, "tmpfs", 0, nil) == 0)
            try replaceFile(target.appending("file"), with: [7])
            let user = open(target.appending("file").string, O_RDONLY | O_CLOEXEC)
            defer { close(user) }
            #expect(try mounter(folder).unmount(target.string) == .detached)
            #expect(try !isMounted(target))
            // Who still uses it is not hurt.
            var byte: UInt8 = 0
            #expect(read(user, &byte, 1) == 1 && byte == 7)
        }
    }

    /// As the daemon itself does when it asks for the room of a mount.
    @Test func whoUsesAMountForAMomentOnlyIsWaitedFor() async throws {
        try await withScratchFolder { folder in
            let target = folder.appending("target")
            try makeFolder(target, mode: 0o700)
            try #require(mount("tmpfs", target.string, "tmpfs", 0, nil) == 0)
            let user = open(target.string, O_RDONLY | O_CLOEXEC)
            var unmounter = Unmounter(program: "test", limit: .seconds(60))
            var pauses = 0
            let pause = unmounter.pause
            unmounter.pause = { length in
                pauses += 1
                if pauses == 2 { close(user) }
                // A process that another test starts has a copy of the descriptor for a moment.
                if pauses > 2 { pause(length) }
            }
            #expect(try unmounter.unmount(target.string) { _ in Issue.record("it was looked for users") } == .unmounted)
            #expect(pauses >= 2)
        }
    }

    @Test func whoUsesABusyMountIsTold() async throws {
        try await withScratchFolder { folder in
            let target = folder.appending("target")
            try makeFolder(target, mode: 0o700)
            try #require(mount("tmpfs", target.string, "tmpfs", 0, nil) == 0)
            let user = Process()
            user.executableURL = URL(fileURLWithPath: "/bin/sleep")
            user.arguments = ["1000"]
            user.currentDirectoryURL = URL(fileURLWithPath: target.string)
            try user.run()
            defer {
                // SIGTERM may be blocked in what this process starts.
                kill(user.processIdentifier, SIGKILL)
                user.waitUntilExit()
            }
            var told: [FileUser] = []
            #expect(try mounter(folder).unmount(target.string) { told = $0 } == .detached)
            #expect(told.map(\.description) == ["process \(user.processIdentifier) (sleep)"])
            #expect(try !isMounted(target))
        }
    }

    @Test func aMountThatIsMountedOverIsTakenOffWithIt() async throws {
        try await withScratchFolder { folder in
            for _ in 0..<7 { try #require(mount("tmpfs", folder.string, "tmpfs", 0, nil) == 0) }
            #expect(try mounter(folder).unmount(folder.string) == .unmounted)
            #expect(try !isMounted(folder))
        }
    }

    @Test func whatLiesBelowGoesToo() async throws {
        try await withScratchFolder { folder in
            let target = folder.appending("target")
            try makeFolder(target, mode: 0o700)
            try #require(mount("tmpfs", target.string, "tmpfs", 0, nil) == 0)
            try makeFolder(target.appending("inner"), mode: 0o700)
            try #require(mount("tmpfs", target.appending("inner").string, "tmpfs", 0, nil) == 0)
            #expect(try mounter(folder).unmount(target.string) == .detached)
            #expect(try MountTable().mounts(below: folder.string).isEmpty)
        }
    }

    @Test func aSymbolicLinkToAMountIsNotFollowed() async throws {
        try await withScratchFolder { folder in
            let target = folder.appending("target")
            try makeFolder(target, mode: 0o700)
            try #require(mount("tmpfs", target.string, "tmpfs", 0, nil) == 0)
            let link = folder.appending("link")
            try #require(symlink(target.string, link.string) == 0)
            #expect(try mounter(folder).unmount(link.string) == .wasNotMounted)
            #expect(try isMounted(target))
        }
    }

    @Test func whatCannotBeUnmountedIsSaid() async throws {
        try await withScratchFolder { folder in
            // More than anybody stacks by accident.
            for _ in 0..<40 { try #require(mount("tmpfs", folder.string, "tmpfs", 0, nil) == 0) }
            let error = #expect(throws: StorageError.self) { try mounter(folder).unmount(folder.string) }
            #expect(error?.description.hasPrefix("cannot unmount \(folder): ") == true)
            #expect(error?.description.contains("mounted over again and again; see who does it") == true)
            #expect(error?.stuck == nil)
        }
    }
}
