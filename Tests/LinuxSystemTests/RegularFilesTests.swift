// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@Suite struct RegularFilesTests {
    @Test func readsUpToTheLimitAndNoFurther() async throws {
        try await withScratchFolder { folder in
            let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
            try replaceFile(folder.appending("file"), with: content)
            #expect(try readRegularFile(folder.appending("file"), limit: 100_000) == content)
            let opened = try OpenFolder(at: folder)
            #expect(try readRegularFile("file", in: opened, limit: 100_000) == content)
            #expect(throws: SystemError("read", .fileTooLarge, on: "file")) {
                try readRegularFile("file", in: opened, limit: 99_999)
            }
        }
    }

    @Test func refusesWhatIsNoFileWithoutWaiting() async throws {
        try await withScratchFolder { folder in
            mkfifo(folder.appending("pipe").string, 0o600)
            let pipe = #expect(throws: SystemError.self) { try readRegularFile(folder.appending("pipe"), limit: 1) }
            #expect(pipe?.errno == .invalidArgument)
            let itself = #expect(throws: SystemError.self) { try readRegularFile(folder, limit: 1) }
            #expect(itself?.errno == .isDirectory)
        }
    }

    @Test(.needs(.root)) func opensNothingElse() async throws {
        try await withScratchFolder { folder in
            mkfifo(folder.appending("pipe").string, 0o600)
            // /dev/zero
            try #require(mknod(folder.appending("device").string, S_IFCHR | 0o600, 1 << 8 | 5) == 0)
            try replaceFile(folder.appending("file"), with: [1])
            let watch = inotify_init1(CInt(IN_NONBLOCK))
            defer { close(watch) }
            for name in ["pipe", "device", "file"] {
                try #require(inotify_add_watch(watch, folder.appending(name).string, UInt32(IN_OPEN)) >= 0)
            }
            for name in ["pipe", "device"] {
                let error = #expect(throws: SystemError.self) { try readRegularFile(folder.appending(name), limit: 1) }
                #expect(error?.errno == .invalidArgument)
            }
            var events = [UInt8](repeating: 0, count: 4096)
            #expect(read(watch, &events, events.count) < 0)
            // It would have been seen.
            #expect(try readRegularFile(folder.appending("file"), limit: 1) == [1])
            #expect(read(watch, &events, events.count) > 0)
        }
    }

    /// Whoever waits for this writer would wait for ever.
    @Test func aDraftThatIsAPipeIsAnErrorAtOnce() async throws {
        try await withScratchFolder { folder in
            mkfifo(folder.appending("file.new").string, 0o600)
            let error = #expect(throws: SystemError.self) { try replaceFile(folder.appending("file"), with: [1]) }
            #expect(error?.errno == .noSuchAddressOrDevice)
        }
    }

    @Test func tellsAMissingFileFromALinkThatLeadsNowhere() async throws {
        try await withScratchFolder { folder in
            let missing = try readRegularFileIfThere(folder.appending("a/b/c"), limit: 1)
            #expect(missing == nil)
            symlink(folder.string, folder.appending("here").string)
            let behindLink = try readRegularFileIfThere(folder.appending("here/b"), limit: 1)
            #expect(behindLink == nil)
            symlink("nowhere", folder.appending("link").string)
            for path in ["link", "link/a/b"] {
                let error = #expect(throws: SystemError.self) { try readRegularFileIfThere(folder.appending(path), limit: 1) }
                #expect(error?.operand == folder.appending("link").string && error?.errno == .noSuchFileOrDirectory, "\(path)")
            }
        }
    }

    /// `LINK/..` is above what the link leads to, not above the link.
    @Test func opensAFolderAsTheKernelDoes() async throws {
        try await withScratchFolder { scratch in
            for path in ["real", "real/deep", "real/wanted", "wanted"] { mkdir(scratch.appending(path).string, 0o700) }
            symlink("real/deep", scratch.appending("link").string)
            let folder = try OpenFolder(at: FilePath(scratch.string + "/link/../wanted"))
            #expect(try folder.path() == scratch.appending("real/wanted"))
            rename(scratch.appending("real/wanted").string, scratch.appending("real/renamed").string)
            #expect(try folder.path() == scratch.appending("real/renamed"))
            #expect(throws: SystemError.self) { try OpenFolder(at: scratch.appending("absent")) }
        }
    }

    @Test func keepsBytesThatAreNoUTF8() async throws {
        try await withScratchFolder { scratch in
            let path = Array(scratch.string.utf8CString.dropLast()) + [CChar(UInt8(ascii: "/")), CChar(bitPattern: 0xFF), 0]
            let name = path.withUnsafeBufferPointer { FilePath(platformString: $0.baseAddress!) }
            name.withPlatformString { _ = mkdir($0, 0o700) }
            let folder = try OpenFolder(at: name)
            #expect(try folder.path() == name)
        }
    }
}
