// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

struct FilesTests {
    private func mode(of path: FilePath) -> mode_t {
        var status = stat()
        return lstat(path.string, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    // MARK: Reading

    @Test func readsUpToTheLimitAndNoFurther() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("file")
            let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
            try replaceFile(file, with: content)
            #expect(try readWholeFile(file, limit: 100_000) == content)
            #expect(throws: SystemError("read", .fileTooLarge, on: file.string)) { try readWholeFile(file, limit: 99_999) }
        }
    }

    @Test func saysWhatItCouldNotRead() async throws {
        try await withScratchFolder { folder in
            let missing = folder.appending("missing")
            #expect(throws: SystemError("open", .noSuchFileOrDirectory, on: missing.string)) { try readWholeFile(missing, limit: 1) }
            #expect(throws: SystemError("read", .isDirectory, on: folder.string)) { try readWholeFile(folder, limit: 1) }
        }
    }

    // MARK: Replacing

    @Test(arguments: [true, false]) func replacesContentAndLeavesNoDraft(durable: Bool) async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("file")
            try replaceFile(file, with: Array("old, and longer".utf8), durable: durable)
            try replaceFile(file, with: Array("new".utf8), durable: durable)
            #expect(try readWholeFile(file, limit: 100) == Array("new".utf8))
            #expect(try namesInFolder(folder) == ["file"])
            #expect(mode(of: file) == 0o600)
        }
    }

    @Test func overwritesADraftThatACrashLeft() async throws {
        try await withScratchFolder { folder in
            try replaceFile(folder.appending("file.new"), with: Array("half a draft, longer than the new content".utf8))
            try replaceFile(folder.appending("file"), with: Array("new".utf8))
            #expect(try readWholeFile(folder.appending("file"), limit: 100) == Array("new".utf8))
            #expect(try namesInFolder(folder) == ["file"])
        }
    }

    @Test func doesNotWriteThroughASymbolicLink() async throws {
        try await withScratchFolder { folder in
            let victim = folder.appending("victim")
            try replaceFile(victim, with: Array("mine".utf8))
            try #require(symlink(victim.string, folder.appending("file.new").string) == 0)
            #expect(throws: SystemError.self) { try replaceFile(folder.appending("file"), with: Array("new".utf8)) }
            #expect(try readWholeFile(victim, limit: 100) == Array("mine".utf8))
        }
    }

    @Test func aRenameThatFailsLeavesTheOldAndNoDraft() async throws {
        try await withScratchFolder { folder in
            let place = folder.appending("place")
            try makeFolders(place.appending("inside"))
            let error = #expect(throws: SystemError.self) { try replaceFile(place, with: [1]) }
            #expect(error?.call == "rename")
            #expect(try namesInFolder(folder) == ["place"])
            #expect(try namesInFolder(place) == ["inside"])
        }
    }

    @Test(.needs(.root)) func aFullDiskLeavesTheOldAndNoDraft() async throws {
        try await withScratchFolder { folder in
            try #require(mount("tmpfs", folder.string, "tmpfs", 0, "size=64k") == 0)
            let file = folder.appending("file")
            try replaceFile(file, with: Array("old".utf8))
            #expect(throws: SystemError("write", .noSpace, on: file.string + ".new")) {
                try replaceFile(file, with: [UInt8](repeating: 1, count: 1 << 20))
            }
            #expect(try readWholeFile(file, limit: 100) == Array("old".utf8))
            #expect(try namesInFolder(folder) == ["file"])
        }
    }

    @Test func aReaderSeesTheOldOrTheNewWhole() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("file")
            let size = 200_000
            try replaceFile(file, with: [UInt8](repeating: 0, count: size))
            async let writing: Void = BlockingThread.run(named: "writer") {
                for round: UInt8 in 1...100 { try replaceFile(file, with: [UInt8](repeating: round, count: size), durable: false) }
            }
            var seen: Set<UInt8> = []
            repeat {
                let content = try readWholeFile(file, limit: size)
                #expect(content.count == size)
                #expect(content.allSatisfy { $0 == content[0] })
                seen.insert(content[0])
                // The writer needs the pool for a moment to begin.
                await Task.yield()
            } while !seen.contains(100)
            try await writing
        }
    }

    // MARK: Removing and naming

    @Test func removesFilesAndFindsNothingWrongWithMissingOnes() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("file")
            try replaceFile(file, with: [])
            try removeFile(file)
            try removeFile(file)
            #expect(try namesInFolder(folder) == [])
            let error = #expect(throws: SystemError.self) { try removeFile(folder) }
            #expect(error?.call == "unlink")
        }
    }

    @Test func removesFoldersOnlyIfTheyAreEmpty() async throws {
        try await withScratchFolder { folder in
            let inner = folder.appending("inner")
            try makeFolders(inner.appending("file"))
            #expect(throws: SystemError("rmdir", .directoryNotEmpty, on: inner.string)) { try removeEmptyFolder(inner) }
            try removeEmptyFolder(inner.appending("file"))
            try removeEmptyFolder(inner)
            try removeEmptyFolder(inner)
            #expect(try namesInFolder(folder) == [])
        }
    }

    @Test func makesFoldersAndKeepsTheModeOfExistingOnes() async throws {
        try await withScratchFolder { folder in
            try makeFolder(folder.appending("a"), mode: 0o711)
            try makeFolders(folder.appending("a").appending("b").appending("c"), mode: 0o700)
            #expect(mode(of: folder.appending("a")) == 0o711)
            #expect(mode(of: folder.appending("a/b")) == 0o700)
            #expect(mode(of: folder.appending("a/b/c")) == 0o700)
            #expect(throws: SystemError("mkdir", .fileExists, on: folder.appending("a").string)) {
                try makeFolder(folder.appending("a"), mode: 0)
            }
            try replaceFile(folder.appending("file"), with: [])
            #expect(throws: SystemError("mkdir", .notDirectory, on: folder.appending("file/x").string)) {
                try makeFolders(folder.appending("file/x"))
            }
        }
    }

    @Test func linksAreResolvedAsFarAsThePathIsThere() async throws {
        try await withScratchFolder { folder in
            let real = resolvingSymbolicLinks(folder)
            try makeFolders(folder.appending("a/b"))
            try #require(symlink("a", folder.appending("link").string) == 0)
            #expect(resolvingSymbolicLinks(folder.appending("link/b")) == real.appending("a/b"))
            #expect(resolvingSymbolicLinks(folder.appending("link/missing/deeper")) == real.appending("a/missing/deeper"))
            #expect(resolvingSymbolicLinks(folder.appending("a")) == real.appending("a"))
            #expect(resolvingSymbolicLinks("/") == "/")
        }
    }

    @Test func listsNamesInOrder() async throws {
        try await withScratchFolder { folder in
            for name in ["b", ".hidden", "a", "ä"] { try replaceFile(folder.appending(name), with: []) }
            #expect(try namesInFolder(folder) == [".hidden", "a", "ä", "b"].sorted())
            #expect(throws: SystemError("opendir", .noSuchFileOrDirectory, on: folder.appending("x").string)) {
                try namesInFolder(folder.appending("x"))
            }
            try renameFile(folder.appending("a"), to: folder.appending("c"))
            #expect(try namesInFolder(folder).contains("c"))
        }
    }
}
