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
}
