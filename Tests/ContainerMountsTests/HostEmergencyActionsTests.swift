// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import MountPointChain
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

struct HostEmergencyActionsTests {
    private let actions = HostEmergencyActions(container: "c1", log: RuntimeLog(), timeout: .seconds(10))

    @Test(.needs(.root)) func unmountingFollowsNoSymbolicLink() async throws {
        try await withScratchFolder { folder in
            let (target, link) = (folder.appending("target"), folder.appending("link"))
            try makeFolder(target, mode: 0o700)
            try #require(mount("tmpfs", target.string, "tmpfs", 0, nil) == 0)
            try #require(symlink(target.string, link.string) == 0)
            let inner = target.appending("inner")
            try makeFolder(inner, mode: 0o700)
            try #require(mount("tmpfs", inner.string, "tmpfs", 0, nil) == 0)
            #expect(throws: EmergencyActionError.self) { try actions.unmount(link.string) }
            #expect(throws: EmergencyActionError.self) { try actions.unmount(link.appending("inner").string) }
            #expect(try MountTable().topmost(at: target.string) != nil && MountTable().topmost(at: inner.string) != nil)
            try actions.unmount(inner.string)
            try actions.unmount(target.string)
            #expect(try MountTable().topmost(at: target.string) == nil)
        }
    }

    @Test func removingFollowsNoSymbolicLinkAndEmptiesNoFolder() async throws {
        try await withScratchFolder { folder in
            let (full, link) = (folder.appending("full"), folder.appending("link"))
            try makeFolder(full, mode: 0o700)
            try replaceFile(full.appending("file"), with: [], durable: false)
            try #require(symlink(full.appending("file").string, link.string) == 0)
            #expect(throws: EmergencyActionError.self) { try actions.remove(full.string) }
            try actions.remove(link.string)
            #expect(try namesInFolder(folder) == ["full"])
            #expect(try namesInFolder(full) == ["file"])
        }
    }

    @Test func aFileAndAnEmptyFolderAreRemoved() async throws {
        try await withScratchFolder { folder in
            let (file, empty) = (folder.appending("file"), folder.appending("empty"))
            try replaceFile(file, with: [], durable: false)
            try makeFolder(empty, mode: 0o755)
            for path in [file, empty] { try actions.remove(path.string) }
            #expect(try namesInFolder(folder) == [])
        }
    }

    @Test func whatCannotBeDoneSaysWhichCallFailed() async throws {
        try await withScratchFolder { folder in
            try makeFolders(folder.appending("full/below"), mode: 0o755)
            for (path, code) in [(folder.appending("full"), Errno.directoryNotEmpty), (folder.appending("none"), .noSuchFileOrDirectory)] {
                let error = #expect(throws: EmergencyActionError.self) { try actions.remove(path.string) }
                #expect((error?.cause as? SystemError)?.errno == code)
                #expect(error?.message.hasPrefix("unlinkat \(path): ") == true, "\(error?.message ?? "")")
            }
            let error = #expect(throws: EmergencyActionError.self) { try actions.unmount(folder.string) }
            #expect((error?.cause as? SystemError)?.call == "umount2")
        }
    }
}
