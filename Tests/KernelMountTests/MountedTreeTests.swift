// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

/// A folder of this host stands for the export: what matters is what is touched.
@Suite(.timeLimit(.minutes(5))) struct MountedTreeTests {
    private func tree(_ folder: FilePath, within limit: Duration = .seconds(30)) -> MountedTree {
        MountedTree(mountedAt: folder.string, program: "test", until: Deadline(after: limit))
    }

    private func makeFile(_ path: String) throws { try replaceFile(FilePath(path), with: [1], durable: false) }

    // MARK: Deleting

    @Test func deletesADeepTreeAndNothingElse() async throws {
        try await withScratchFolder { folder in
            var place = folder.appending("victim").string
            for level in 0..<120 {
                try makeFolder(FilePath(place), mode: 0o755)
                try makeFile("\(place)/file \(level)")
                try makeFolder(FilePath("\(place)/empty"), mode: 0o700)
                place += "/d"
            }
            try makeFolders(folder.appending("victim2/d"))
            try makeFile(folder.appending("file").string)
            try tree(folder).delete(Subdirectory("victim"))
            #expect(try namesInFolder(folder) == ["file", "victim2"])
            #expect(try namesInFolder(folder.appending("victim2")) == ["d"])
        }
    }

    @Test func deletesOnlyTheLastOfSeveralComponents() async throws {
        try await withScratchFolder { folder in
            try makeFolders(folder.appending("a/b/c"))
            try makeFolders(folder.appending("a/x"))
            try tree(folder).delete(Subdirectory("a/b"))
            #expect(try namesInFolder(folder.appending("a")) == ["x"])
        }
    }

    @Test func deletesThousandsOfNames() async throws {
        try await withScratchFolder { folder in
            let place = folder.appending("victim").string
            try makeFolder(FilePath(place), mode: 0o755)
            for index in 0..<2000 {
                let name = "\(place)/\(index)-" + String(repeating: "x", count: index % 200)
                if index % 10 == 0 { try makeFolder(FilePath(name), mode: 0o755) } else { try #require(close(creat(name, 0o600)) == 0) }
            }
            try tree(folder).delete(Subdirectory("victim"))
            #expect(try namesInFolder(folder).isEmpty)
        }
    }

    /// Nothing is deleted, wherever it begins, and it is named.
    @Test(.needs(.root), arguments: ["victim", "victim/a", "victim/a/b/c", "victim/many/77"])
    func looksForAnotherFileSystemFirst(place: String) async throws {
        try await withScratchFolder { folder in
            for index in 0..<100 { try makeFolders(folder.appending("victim/many/\(index)")) }
            try makeFolders(folder.appending("victim/a/b/c"))
            try makeFile(folder.appending("victim/a/file").string)
            let other = folder.appending(place)
            try #require(mount("test", other.string, "tmpfs", 0, nil) == 0)
            defer { umount2(other.string, CInt(MNT_DETACH)) }
            let error = try #require(#expect(throws: TreeError.self) { try tree(folder).delete(Subdirectory("victim")) })
            #expect(error.description == "another file system begins at \(place), and nothing is deleted")
            #expect(error.meetsOtherFileSystem && !error.hasBegun && !error.isUnfinished)
            try #require(umount2(other.string, CInt(MNT_DETACH)) == 0)
            #expect(try namesInFolder(folder.appending("victim")) == ["a", "many"])
            #expect(try namesInFolder(folder.appending("victim/many")).count == 100)
            #expect(try namesInFolder(folder.appending("victim/a")) == ["b", "file"])
            try tree(folder).delete(Subdirectory("victim"))
            #expect(try namesInFolder(folder).isEmpty)
        }
    }

    /// Of a directory whose names need several reads, too.
    @Test(.needs(.root)) func looksForAnotherFileSystemAmongThousandsOfNames() async throws {
        try await withScratchFolder { folder in
            try makeFolders(folder.appending("victim/long/zzz"))
            let name = String(repeating: "x", count: 200)
            for index in 0..<3000 { try #require(close(creat(folder.appending("victim/long/\(index)-\(name)").string, 0o600)) == 0) }
            let other = folder.appending("victim/long/zzz")
            try #require(mount("test", other.string, "tmpfs", 0, nil) == 0)
            defer { umount2(other.string, CInt(MNT_DETACH)) }
            let error = try #require(#expect(throws: TreeError.self) { try tree(folder).delete(Subdirectory("victim")) })
            #expect(error.description.contains("begins at victim/long/zzz"))
            #expect(try namesInFolder(folder.appending("victim/long")).count == 3001)
        }
    }

    @Test(.needs(.root)) func anArchiveOfAnotherFileSystemSaysSo() async throws {
        try await withScratchFolder { folder in
            try makeFolders(folder.appending("victim"))
            try #require(mount("test", folder.appending("victim").string, "tmpfs", 0, nil) == 0)
            defer { umount2(folder.appending("victim").string, CInt(MNT_DETACH)) }
            let error = try #require(#expect(throws: TreeError.self) { try tree(folder).rename(Subdirectory("victim"), to: "archived") })
            #expect(error.meetsOtherFileSystem && !error.hasBegun)
        }
    }

    @Test func followsNoSymbolicLink() async throws {
        try await withScratchFolder { folder in
            try makeFolders(folder.appending("outside/deep"))
            try makeFile(folder.appending("outside/file").string)
            try makeFolder(folder.appending("export"), mode: 0o755)
            try makeFolders(folder.appending("export/victim"))
            for (target, link) in [
                ("../../outside", "victim/relative"), (folder.appending("outside").string, "victim/absolute"), ("../outside", "direct"),
                ("nowhere", "victim/dangling"),
            ] {
                try #require(symlink(target, folder.appending("export").appending(link).string) == 0)
            }
            try tree(folder.appending("export")).delete(Subdirectory("victim"))
            #expect(try namesInFolder(folder.appending("export")) == ["direct"])
            for path in ["direct", "direct/deep"] {
                #expect(throws: TreeError.self) { try tree(folder.appending("export")).delete(Subdirectory(path)) }
            }
            #expect(try namesInFolder(folder.appending("outside")) == ["deep", "file"])
        }
    }

    /// Another export may be nested in the directory; it is not the volume's.
    @Test(.needs(.root)) func stopsAtAMountPoint() async throws {
        try await withScratchFolder { folder in
            let nested = folder.appending("victim/nested")
            try makeFolders(nested)
            try #require(mount("tmpfs", nested.string, "tmpfs", 0, nil) == 0)
            try makeFile(nested.appending("precious").string)
            let error = #expect(throws: TreeError.self) { try tree(folder).delete(Subdirectory("victim")) }
            #expect(error?.description.contains("victim/nested") == true)
            #expect(error?.isUnfinished == false && error?.hasBegun == false)
            try makeFile(folder.appending("victim/file").string)
            let second = #expect(throws: TreeError.self) { try tree(folder).delete(Subdirectory("victim")) }
            #expect(second?.isUnfinished == false && second?.hasBegun == false)
            #expect(try namesInFolder(folder.appending("victim")) == ["file", "nested"])
            for path in ["victim/nested", "victim/nested/precious"] {
                #expect(throws: TreeError.self) { try tree(folder).delete(Subdirectory(path)) }
            }
            #expect(try namesInFolder(nested) == ["precious"])
        }
    }

    /// A server keeps names as bytes.
    @Test func deletesNamesThatAreNotUTF8() async throws {
        try await withScratchFolder { folder in
            let place = folder.appending("victim").string
            try makeFolder(FilePath(place), mode: 0o755)
            for bytes: [UInt8] in [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0x61, 0xfe, 0x62], [0x0a], [0x20]] {
                let path = Array("\(place)/".utf8) + bytes
                let made = (path + [0x64, 0]).map { CChar(bitPattern: $0) }
                try #require(mkdir(made, 0o700) == 0)
                let inner = (path + [0x64, 0x2f] + bytes + [0]).map { CChar(bitPattern: $0) }
                try #require(close(creat(inner, 0o600)) == 0)
                try #require(close(creat((path + [0x66, 0]).map { CChar(bitPattern: $0) }, 0o600)) == 0)
            }
            try tree(folder).delete(Subdirectory("victim"))
            #expect(try namesInFolder(folder).isEmpty)
        }
    }

    @Test func deletingWhatIsNotThereIsNoFailure() async throws {
        try await withScratchFolder { folder in
            try makeFolder(folder.appending("a"), mode: 0o755)
            for path in ["missing", "missing/deeper", "a/missing"] { try tree(folder).delete(Subdirectory(path)) }
            #expect(try namesInFolder(folder) == ["a"])
        }
    }

    @Test func aTreeBeyondMeasureIsRefused() async throws {
        try await withScratchFolder { folder in
            var place = folder.appending("victim").string
            for _ in 0..<203 {
                try makeFolder(FilePath(place), mode: 0o755)
                place += "/d"
            }
            let error = #expect(throws: TreeError.self) { try tree(folder).delete(Subdirectory("victim")) }
            #expect(error?.description.contains("is deeper than 200 directories") == true)
            #expect(error?.isUnfinished == false)
        }
    }

    @Test func theDeadlineEndsItAndItCanGoOn() async throws {
        try await withScratchFolder { folder in
            let place = folder.appending("victim").string
            try makeFolder(FilePath(place), mode: 0o755)
            for index in 0..<1500 { try #require(close(creat("\(place)/\(index)", 0o600)) == 0) }
            let error = #expect(throws: TreeError.self) { try tree(folder, within: .zero).delete(Subdirectory("victim")) }
            #expect(error?.isUnfinished == true)
            #expect(try namesInFolder(folder) == ["victim"])
            // How far it came is not known, but what it changed it must own up to.
            #expect(try error?.hasBegun == true || namesInFolder(FilePath(place)).count == 1500)
            var limit = Duration.microseconds(200)
            while true {
                do {
                    try tree(folder, within: limit).delete(Subdirectory("victim"))
                    break
                } catch let error as TreeError {
                    #expect(error.isUnfinished)
                    limit *= 2
                }
            }
            #expect(try namesInFolder(folder).isEmpty)
        }
    }

    // MARK: Renaming

    @Test func renamesWithinTheParent() async throws {
        try await withScratchFolder { folder in
            try makeFolders(folder.appending("a/victim/inner"))
            #expect(try tree(folder).rename(Subdirectory("a/victim"), to: "archived"))
            #expect(try namesInFolder(folder.appending("a")) == ["archived"])
            #expect(try namesInFolder(folder.appending("a/archived")) == ["inner"])
        }
    }

    @Test func renamingWhatIsNotThereIsNoFailure() async throws {
        try await withScratchFolder { folder in
            for path in ["missing", "missing/deeper"] {
                let renamed = try tree(folder).rename(Subdirectory(path), to: "archived")
                #expect(!renamed)
            }
            #expect(try namesInFolder(folder).isEmpty)
        }
    }

    /// rename(2) would replace an empty directory.
    @Test(arguments: [true, false]) func anArchiveThatIsThereIsNotReplaced(isEmpty: Bool) async throws {
        try await withScratchFolder { folder in
            try makeFolders(folder.appending("victim/inner"))
            try makeFolder(folder.appending("archived"), mode: 0o755)
            if !isEmpty { try makeFile(folder.appending("archived/file").string) }
            let error = #expect(throws: TreeError.self) { try tree(folder).rename(Subdirectory("victim"), to: "archived") }
            #expect(error?.description.contains("archived is taken already") == true)
            #expect(try namesInFolder(folder) == ["archived", "victim"])
            #expect(try namesInFolder(folder.appending("victim")) == ["inner"])
        }
    }

    @Test func renamesNothingBehindASymbolicLink() async throws {
        try await withScratchFolder { folder in
            try makeFolders(folder.appending("outside/victim"))
            try makeFolder(folder.appending("export"), mode: 0o755)
            try #require(symlink("../outside", folder.appending("export/link").string) == 0)
            #expect(throws: TreeError.self) {
                try tree(folder.appending("export")).rename(Subdirectory("link/victim"), to: "archived")
            }
            #expect(try namesInFolder(folder.appending("outside")) == ["victim"])
        }
    }
}
