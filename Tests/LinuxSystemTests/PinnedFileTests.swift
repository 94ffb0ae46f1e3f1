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

    /// Whatever is put in the place of a folder on the way.
    @Test func nothingLeadsOutOfTheFolderBeneathWhichItIsLookedUp() async throws {
        try await withScratchFolder { folder in
            let base = folder.appending("base")
            try makeFolders(base.appending("a/b"), mode: 0o755)
            try replaceFile(folder.appending("secret"), with: [])
            for (name, target) in [
                ("in", "a/b"), ("out", "../secret"), ("away", "/etc/passwd"), ("up", ".."), ("magic", "/proc/self/root"),
            ] {
                try #require(symlink(target, base.appending(name).string) == 0)
            }
            let pinned = try PinnedFile(at: base.string)
            #expect(try PinnedFile(at: "in", beneath: pinned).path() == base.appending("a/b").string)
            for path in ["out", "away", "up", "magic", "..", "a/../../secret", "/etc/passwd"] {
                let error = #expect(throws: SystemError.self) { try PinnedFile(at: path, beneath: pinned) }
                #expect(error?.errno == .improperLink, "\(path): \(error?.description ?? "")")
            }
            #expect(throws: SystemError.self) { try PinnedFile(at: "none", beneath: pinned) }
        }
    }

    @Test func aFileSaysWhenItWasMade() async throws {
        try await withScratchFolder { folder in
            let now = Int64(time(nil))
            let (first, second) = (folder.appending("first"), folder.appending("second"))
            try makeFolder(first, mode: 0o755)
            try makeFolder(second, mode: 0o755)
            // What is done with it later does not count.
            try replaceFile(first.appending("file"), with: [])
            let times = try [first, second].map(birthTime)
            #expect(times[0] <= times[1])
            #expect((now - 2...now + 60).contains(times[0].seconds))
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

    @Test func isLookedUpInAnotherRoot() async throws {
        try await withScratchFolder { folder in
            for name in ["run", "run/x", "var"] { try makeFolder(folder.appending(name), mode: 0o755) }
            symlink("/run", "\(folder)/var/run")
            symlink("../../../..", "\(folder)/up")
            let root = try PinnedFile(at: folder.string)
            #expect(try PinnedFile(at: "/var/run/x", inRoot: root).isSame(as: PinnedFile(at: "\(folder)/run/x")))
            #expect(try PinnedFile(at: "/up", inRoot: root).isSame(as: root))
            let error = #expect(throws: SystemError.self) { try PinnedFile(at: "/etc", inRoot: root) }
            #expect(error?.call == "openat2" && error?.errno == .noSuchFileOrDirectory)
        }
    }

    @Test func aPathIsBytes() async throws {
        try await withScratchFolder { folder in
            let name = (Array("\(folder)/x".utf8) + [0xFF, 0]).map(CChar.init(bitPattern:))
            let path = name.withUnsafeBufferPointer { FilePath(platformString: $0.baseAddress!) }
            try makeFolders(path.appending("deep"), mode: 0o755)
            symlink(name, "\(folder)/link")
            let pinned = try PinnedFile(at: "\(folder)/link")
            #expect(try pinned.pathBytes() == Array("\(folder)/x".utf8) + [0xFF])
            #expect(resolvingSymbolicLinks(folder.appending("link")) == path)
            #expect(path.extended(by: "y").lastComponent?.string == "x\u{FFFD}y")
            try replaceFile(path.appending("file"), with: [1])
            #expect(try readWholeFile(FilePath("\(folder)/link/file"), limit: 9) == [1])
            #expect(try namesInFolder(path) == ["deep", "file"])
        }
    }
}

/// Its root is private, as that of a mount of its own.
func mountMemory(on folder: FilePath) throws {
    try systemCall("mount", on: folder.string) { mount("tmpfs", folder.string, "tmpfs", 0, nil) }
}
