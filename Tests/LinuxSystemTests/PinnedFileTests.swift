// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import LinuxSystem

struct PinnedFileTests {
    @Test func saysWhereItIsByNow() async throws {
        try await withScratchFolder { folder in
            let path = folder.appending("meant").string
            let link = folder.appending("link").string
            try makeFolder(FilePath(path), mode: 0o755)
            symlink("meant", link)
            let pinned = try PinnedFile(at: link)
            #expect(pinned.isFolder)
            #expect(try pinned.path() == path)
            rename(path, path + " moved")
            symlink("/etc", path)
            #expect(try pinned.path() == path + " moved")
        }
    }

    @Test func whatHasBeenRemovedHasNoPath() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("file")
            try replaceFile(file, with: Array("one".utf8))
            let pinned = try PinnedFile(at: file.string)
            #expect(!pinned.isFolder)
            try replaceFile(file, with: Array("two".utf8))
            let error = #expect(throws: SystemError.self) { try pinned.path() }
            #expect(error?.errno == .noSuchFileOrDirectory && error?.hint == "it has been removed or replaced")
        }
    }

    @Test func aNameThatLooksRemovedIsAName() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("file (deleted)")
            try replaceFile(file, with: [])
            #expect(try PinnedFile(at: file.string).path() == file.string)
        }
    }

    @Test func whatHasNoPathSaysWhatItIs() throws {
        #expect(try PinnedFile(at: "/proc/self/ns/net").path().hasPrefix("net:["))
    }

    @Test func afterItsEndItIsNotThere() throws {
        let pinned = try PinnedFile(at: "/usr")
        pinned.close()
        #expect(throws: SystemError.self) { try pinned.path() }
        #expect(throws: SystemError.self) { try pinned.mountID() }
    }

    @Test(.needs(.root)) func knowsItsMount() async throws {
        try await withScratchFolder { folder in
            let before = try PinnedFile(at: folder.string)
            try mountMemory(on: folder)
            let after = try PinnedFile(at: folder.string)
            #expect(try before.path() == folder.string)
            let table = try MountTable()
            #expect(try table.topmost(at: folder.string)?.mountID == after.mountID())
            #expect(try table.topmost(at: folder.string)?.parentID == before.mountID())
        }
    }

    @Test(.needs(.root)) func aCloneIsOfWhatIsHeld() async throws {
        try await withScratchFolder { folder in
            let (source, target) = (folder.appending("source"), folder.appending("target"))
            for path in [source, target] { try makeFolder(path, mode: 0o755) }
            try mountMemory(on: source)
            try makeFolder(source.appending("nested"), mode: 0o755)
            try mountMemory(on: source.appending("nested"))
            try replaceFile(source.appending("nested/who"), with: Array("held".utf8))
            let pinned = try PinnedFile(at: source.string)
            rename(source.string, source.string + "2")
            try pinned.clone(recursively: false).attach(to: target.string)
            #expect(access(target.appending("nested/who").string, F_OK) != 0)
            umount2(target.string, 0)
            try pinned.clone(recursively: true).attach(to: target.string)
            #expect(try readWholeFile(target.appending("nested/who"), limit: 9) == Array("held".utf8))
        }
    }
}

/// Its root is private, as that of a mount of its own.
func mountMemory(on folder: FilePath) throws {
    try systemCall("mount", on: folder.string) { mount("tmpfs", folder.string, "tmpfs", 0, nil) }
}
