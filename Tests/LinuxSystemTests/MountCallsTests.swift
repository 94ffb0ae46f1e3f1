// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

/// That flags mean to the kernel what they are called, and that the steps of both mount interfaces work on it.
@Suite(.needs(.root)) struct MountCallsTests {
    private func run(_ sequence: SystemCallSequence) throws {
        guard case .finished = try sequence.run(until: Deadline(after: .seconds(60))) else { throw SystemError("run", .timedOut, on: "") }
        if let error = sequence.failedCall.flatMap(sequence.error) { throw error }
    }

    private static let attributes: [(MountAttributes, String)] = [
        (.readOnly, "ro"), (.noSetUID, "nosuid"), (.noDevices, "nodev"), (.noExecution, "noexec"), (.noAccessTime, "noatime"),
        (.noDirectoryAccessTime, "nodiratime"),
    ]

    @Test(arguments: attributes) func attributesOfFSMount(attribute: MountAttributes, word: String) async throws {
        try await withScratchFolder { folder in
            let sequence = SystemCallSequence()
            let context = sequence.add(.fsopen("tmpfs"))
            sequence.add(.fsconfig(context, "source", "tested"))
            sequence.add(.fsconfig(context, "size", "64k"))
            sequence.add(.fsconfigCreate(context, on: "tested"))
            let mount = sequence.add(.fsmount(context, attribute, on: "tested"))
            sequence.add(.moveMount(mount, to: folder.string))
            try run(sequence)
            let entry = try #require(try MountTable().topmost(at: folder.string))
            #expect(entry.source == "tested")
            #expect(entry.superblockOptions.contains("size=64k"))
            for (_, other) in Self.attributes { #expect(entry.options.contains(other) == (other == word)) }
        }
    }

    @Test func strictAccessTimeIsWhatRelativeIsNot() async throws {
        try await withScratchFolder { folder in
            for (attributes, isRelative) in [(MountAttributes.strictAccessTime, false), ([], true)] {
                let sequence = SystemCallSequence()
                let context = sequence.add(.fsopen("tmpfs"))
                sequence.add(.fsconfigCreate(context, on: "tested"))
                sequence.add(.moveMount(sequence.add(.fsmount(context, attributes, on: "tested")), to: folder.string))
                try run(sequence)
                #expect(try MountTable().topmost(at: folder.string)?.options.contains("relatime") == isRelative)
            }
        }
    }

    private static let flags: [(MountFlags, String)] = [
        (.readOnly, "ro"), (.noSetUID, "nosuid"), (.noDevices, "nodev"), (.noExecution, "noexec"), (.noAccessTime, "noatime"),
        (.noDirectoryAccessTime, "nodiratime"), (.synchronous, "sync"), (.synchronousDirectories, "dirsync"), (.lazyTime, "lazytime"),
        (.relativeAccessTime, "relatime"),
    ]

    @Test(arguments: flags) func flagsOfMount(flag: MountFlags, word: String) async throws {
        try await withScratchFolder { folder in
            let sequence = SystemCallSequence()
            // Without a word about access times the kernel takes relatime by itself.
            let others: MountFlags = word.hasSuffix("atime") && word != "nodiratime" ? [] : .strictAccessTime
            sequence.add(.mount("tested", on: folder.string, type: "tmpfs", flag.union(others), data: "size=64k"))
            try run(sequence)
            let entry = try #require(try MountTable().topmost(at: folder.string))
            #expect(entry.source == "tested")
            #expect(entry.superblockOptions.contains("size=64k"))
            let shown = entry.options + entry.superblockOptions
            for (_, other) in Self.flags { #expect(shown.contains(other) == (other == word)) }
        }
    }

    @Test func detachTakesABusyMountOffTheTree() async throws {
        try await withScratchFolder { folder in
            let mounting = SystemCallSequence()
            mounting.add(.mount("tested", on: folder.string, type: "tmpfs", [], data: nil))
            try run(mounting)
            let user = Glibc.open(folder.string, O_RDONLY | O_CLOEXEC)
            defer { close(user) }
            let plain = SystemCallSequence()
            plain.add(.unmount(folder.string, .noFollow))
            #expect(throws: SystemError("umount2", .resourceBusy, on: folder.string)) { try run(plain) }
            let detaching = SystemCallSequence()
            detaching.add(.unmount(folder.string, [.detach, .noFollow]))
            try run(detaching)
            #expect(try MountTable().topmost(at: folder.string) == nil)
        }
    }

    @Test func openDirectoryFollowsNoSymbolicLink() async throws {
        try await withScratchFolder { folder in
            try makeFolder(folder.appending("real"), mode: 0o700)
            try #require(symlink("real", folder.appending("link").string) == 0)
            for (name, code) in [("real", nil), ("link", Errno.notDirectory)] {
                let sequence = SystemCallSequence()
                let root = sequence.add(.openDirectory(folder.string, operand: "root"))
                let opened = sequence.add(.openDirectory(name, in: root, operand: name))
                try? run(sequence)
                #expect(sequence.error(of: opened)?.errno == code)
            }
        }
    }
}
