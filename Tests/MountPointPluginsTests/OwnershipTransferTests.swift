// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("ownership by transfer", .needs(.root))
struct OwnershipTransferTests {
    /// A folder of the disk, and a host.
    private func withTree(_ body: (OwnedTree, InstanceHost) async throws -> Void) async throws {
        try await withScratchFolder { folder in
            let tree = OwnedTree(path: folder.appending("source").string)
            mkdir(tree.path, 0o755)
            try tree.fill()
            try await body(tree, InstanceHost())
        }
    }

    @Test("The files belong to the container's user while it runs, and all is as before at the end") func roundTrip() async throws {
        try await withTree { tree, host in
            let before = try OwnerSnapshot(of: tree.path)
            let plugin = try host.plugin(of: OwnershipKind.self)
            let request = ownershipRequest(tree.path, "mode=transfer")
            let attachment = try #require(try await plugin.attach(request).first)
            #expect(attachment.attach && attachment.changes == MountPointChanges())
            for name in [".", "a", "a/b", "a/b/file", "shared", "set-uid", "capable", "listed", "out", "twice", "a/again", "fifo"] {
                #expect(tree.owner(name) == [33, 33], "\(name)")
            }
            #expect(tree.owner("others") == [1234, 1234] && tree.owner("containers") == [33, 33])
            // With the new owner they would be another user's program with this user's rights.
            #expect(tree.mode("set-uid") == 0o755 && tree.mode("set-gid") == 0o755 && tree.mode("shared") == 0o2775)
            #expect(try tree.attribute("security.capability", of: "capable") == nil)
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("What the container made goes to the source's owner, and its own set-id bits do not come with it") func made() async throws {
        try await withTree { tree, host in
            let before = try OwnerSnapshot(of: tree.path)
            let plugin = try host.plugin(of: OwnershipKind.self)
            let request = ownershipRequest(tree.path, "mode=transfer")
            _ = try await plugin.attach(request)
            tree.file("made", 33, mode: 0o4755)
            tree.folder("new", 33)
            tree.file("new/file", 33)
            tree.file("new/others", 1234)
            rename("\(tree.path)/a/b/file", "\(tree.path)/new/moved")
            unlink("\(tree.path)/twice")
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            for name in ["made", "new", "new/file", "new/moved", "a/again"] { #expect(tree.owner(name) == [1000, 1000], "\(name)") }
            #expect(tree.mode("made") == 0o755)
            #expect(tree.owner("new/others") == [1234, 1234] && tree.owner("containers") == [33, 33])
            #expect(
                try OwnerSnapshot(of: tree.path).owners.filter { before.owners[$0.key] != nil }
                    == before.owners.filter {
                        !["/twice", "/a/b/file"].contains($0.key)
                    })
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("Set-id bits and capabilities do not come back to a file that was changed meanwhile") func changedSpecials() async throws {
        try await withTree { tree, host in
            tree.file("renamed", mode: 0o4755)
            tree.file("rewritten", mode: 0o755)
            try tree.set("security.capability", of: "rewritten", to: [1, 0, 0, 2] + [UInt8](repeating: 0, count: 16))
            let plugin = try host.plugin(of: OwnershipKind.self)
            let request = ownershipRequest(tree.path, "mode=transfer")
            _ = try await plugin.attach(request)
            for name in ["set-uid", "rewritten"] {
                try Data("another program".utf8).write(to: URL(fileURLWithPath: "\(tree.path)/\(name)"))
            }
            // The same inode, perhaps, and another file.
            unlink("\(tree.path)/set-gid")
            tree.file("set-gid", 33, mode: 0o755)
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(tree.mode("set-uid") == 0o755 && tree.mode("set-gid") == 0o755)
            #expect(try tree.attribute("security.capability", of: "rewritten") == nil)
            for name in ["set-uid", "set-gid", "rewritten"] { #expect(tree.owner(name) == [1000, 1000], "\(name)") }
            #expect(try tree.attribute("security.capability", of: "capable") != nil && tree.mode("renamed") == 0o4755)
        }
    }

    @Test("A file with a name outside the tree is left, in both directions") func linkedOutside() async throws {
        try await withTree { tree, host in
            let outside = tree.path + ".outside"
            for name in ["linked", "later", "made"] { tree.file(name) }
            chown("\(tree.path)/made", 33, 33)
            link("\(tree.path)/linked", outside)
            let plugin = try host.plugin(of: OwnershipKind.self)
            let request = ownershipRequest(tree.path, "mode=transfer")
            unlink("\(tree.path)/made")
            _ = try await plugin.attach(request)
            #expect(tree.owner("linked") == [1000, 1000] && tree.owner("later") == [33, 33])
            tree.file("made", 33)
            link("\(tree.path)/made", outside + "2")
            link("\(tree.path)/later", outside + "3")
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            // What was given is given back, wherever it has names by now.
            #expect(tree.owner("linked") == [1000, 1000] && tree.owner("later") == [1000, 1000] && tree.owner("made") == [33, 33])
        }
    }

    @Test("What is mounted below is not entered, be it a folder or a file, and neither are links") func borders() async throws {
        try await withTree { tree, host in
            let outside = OwnedTree(path: tree.path + ".outside")
            mkdir(outside.path, 0o755)
            outside.file("file")
            tree.folder("mounted")
            tree.file("bound")
            tree.link("folder-link", to: outside.path)
            try systemCall("mount", on: tree.path) { mount(outside.path, "\(tree.path)/mounted", nil, UInt(MS_BIND), nil) }
            try systemCall("mount", on: tree.path) { mount("\(outside.path)/file", "\(tree.path)/bound", nil, UInt(MS_BIND), nil) }
            let before = try (OwnerSnapshot(of: tree.path), OwnerSnapshot(of: outside.path))
            let plugin = try host.plugin(of: OwnershipKind.self)
            let request = ownershipRequest(tree.path, "mode=transfer")
            _ = try await plugin.attach(request)
            #expect(tree.owner("folder-link") == [33, 33] && tree.owner("a/b/file") == [33, 33])
            #expect(try OwnerSnapshot(of: outside.path) == before.1)
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(try OwnerSnapshot(of: tree.path) == before.0 && OwnerSnapshot(of: outside.path) == before.1)
        }
    }

    @Test("Names of any bytes, and paths longer than a path may be") func hostileNames() async throws {
        try await withTree { tree, host in
            let long = String(repeating: "n", count: 255)
            tree.file("line\nbreak")
            tree.file("\u{1b}[2J")
            tree.file(long)
            let folder = try OpenFolder(at: FilePath(tree.path))
            let odd = try #require(EntryName(bytes: [0xff, 0xfe, 0x0a, 0x20]))
            try folder.makeFolder(odd, mode: 0o755)
            try folder.setOwner(of: odd, user: 1000, group: 1000)
            var deep = try OpenFolder(odd, in: folder)
            let name = try #require(EntryName(long))
            for _ in 0..<40 {
                try deep.makeFolder(name, mode: 0o755)
                try deep.setOwner(of: name, user: 1000, group: 1000)
                deep = try OpenFolder(name, in: deep)
            }
            let plugin = try host.plugin(of: OwnershipKind.self)
            let request = ownershipRequest(tree.path, "mode=transfer")
            _ = try await plugin.attach(request)
            #expect(try deep.status().user == 33 && folder.status(of: odd).user == 33 && tree.owner("line\nbreak") == [33, 33])
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(try deep.status().user == 1000 && folder.status(of: odd).user == 1000 && tree.owner("line\nbreak") == [1000, 1000])
            #expect(host.left(of: "ownership") == [])
            try removeTree(odd, in: folder)
        }
    }

    @Test("Ranges, and a single file") func rangesAndFile() async throws {
        try await withTree { tree, host in
            let before = try OwnerSnapshot(of: tree.path)
            let plugin = try host.plugin(of: OwnershipKind.self)
            var request = ownershipRequest(tree.path, "uid:1000-1300=5000,mode=transfer")
            _ = try await plugin.attach(request)
            #expect(tree.owner("a") == [5000, 1000] && tree.owner("others") == [5234, 1234])
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(try OwnerSnapshot(of: tree.path) == before)
            request = ownershipRequest("\(tree.path)/listed", "mode=transfer")
            _ = try await plugin.attach(request)
            #expect(tree.owner("listed") == [33, 33] && tree.owner("a") == [1000, 1000])
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("A file system that cannot be mapped: map names it and the way out, auto transfers", arguments: ["ramfs", "overlay"])
    func unmappable(_ type: String) async throws {
        try await withScratchFolder { folder in
            let tree = OwnedTree(path: folder.appending("source").string)
            mkdir(tree.path, 0o755)
            if type == "ramfs" {
                try systemCall("mount", on: tree.path) { mount("ramfs", tree.path, "ramfs", 0, "mode=0755") }
            } else {
                for name in ["lower", "upper", "work"] { mkdir(folder.appending(name).string, 0o755) }
                // What is below is made anew when it is changed.
                try OwnedTree(path: folder.appending("lower").string).fill()
                let options = "lowerdir=\(folder)/lower,upperdir=\(folder)/upper,workdir=\(folder)/work"
                try systemCall("mount", on: tree.path) { mount("overlay", tree.path, "overlay", 0, options) }
            }
            chown(tree.path, 1000, 1000)
            if type == "ramfs" {
                tree.file("file")
                tree.file("containers", 33)
                tree.file("set-uid", mode: 0o4755)
            }
            let before = try OwnerSnapshot(of: tree.path)
            let host = try InstanceHost()
            let plugin = try host.plugin(of: OwnershipKind.self)
            await #expect {
                try await plugin.attach(ownershipRequest(tree.path, "mode=map"))
            } throws: {
                "\($0)".contains("is on the file system \(type), which cannot be id-mapped; with mode=transfer")
            }
            let request = ownershipRequest(tree.path, "mode=auto")
            let attachment = try #require(try await plugin.attach(request).first)
            #expect(attachment.changes == MountPointChanges() && tree.owner("set-uid") == [33, 33] && tree.owner(".") == [33, 33])
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("The settings name the mode of mounts that name none; auto maps what can be mapped") func defaultMode() async throws {
        try await withTree { tree, host in
            let plugin = try host.plugin(#"{"mode": "auto"}"#, of: OwnershipKind.self)
            var request = ownershipRequest(tree.path, "")
            let mapped = try #require(try await plugin.attach(request).first)
            #expect(mapped.changes.effectiveSource != "" && tree.owner("a") == [1000, 1000])
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            request = ownershipRequest(tree.path, "")
            let transfer = try host.plugin(#"{"mode": "transfer"}"#, of: OwnershipKind.self)
            _ = try await transfer.attach(request)
            #expect(tree.owner("a") == [33, 33])
            try await transfer.detach(MountPointDetachRequest(id: request.id))
            #expect(throws: PluginError.self) { try host.plugin(#"{"mode": "chown"}"#, of: OwnershipKind.self) }
        }
    }

    @Test("If a file cannot be given, the error names it, and all others are given back") func immutable() async throws {
        try await withTree { tree, host in
            let before = try OwnerSnapshot(of: tree.path)
            try await command(["chattr", "+i", "\(tree.path)/a/b/file"])
            defer {
                _ = try? Process.run(URL(fileURLWithPath: "/usr/bin/chattr"), arguments: ["-i", "\(tree.path)/a/b/file"]).waitUntilExit()
            }
            let plugin = try host.plugin(of: OwnershipKind.self)
            await #expect {
                try await plugin.attach(ownershipRequest(tree.path, "mode=transfer"))
            } throws: {
                "\($0)".contains("fchownat \(tree.path)/a/b/file: Operation not permitted")
            }
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("Ten thousand files") func many() async throws {
        try await withTree { tree, host in
            for folder in 0..<100 {
                tree.folder("many-\(folder)")
                for file in 0..<100 { tree.file("many-\(folder)/\(file)") }
            }
            let before = try OwnerSnapshot(of: tree.path)
            let plugin = try host.plugin(of: OwnershipKind.self)
            let request = ownershipRequest(tree.path, "mode=transfer")
            _ = try await plugin.attach(request)
            #expect(try OwnerSnapshot(of: tree.path).owners.values.filter { $0 == "1000:1000" }.count == 0)
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(try OwnerSnapshot(of: tree.path) == before)
        }
    }
}
