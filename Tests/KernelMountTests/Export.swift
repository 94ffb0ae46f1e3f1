// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import StandIn
import SystemPackage
import TestSupport
import Testing

/// An export with something in it: an ext4 image on a loop device, filled by the first closure, as a stand-in for NFS.
func withExport(
    filledBy fill: (FilePath) throws -> Void, _ body: (StandIn, FilePath) async throws -> Void
) async throws {
    try await withScratchFolder { folder in
        let image = folder.appending("image").string
        try replaceFile(FilePath(image), with: [], durable: false)
        try #require(truncate(image, 16 << 20) == 0)
        let made = try await command(["mkfs.ext4", "-q", "-O", "^has_journal", image])
        try #require(made.status == 0, "\(made)")
        let attached = try await command(["losetup", "--find", "--show", image])
        try #require(attached.status == 0, "\(attached)")
        let device = String(attached.output.dropLast())
        let inside = folder.appending("inside")
        do {
            try makeFolder(inside, mode: 0o700)
            try #require(mount(device, inside.string, "ext4", 0, nil) == 0)
            try fill(inside)
            // Not in order: a process that is just being made may hold a copy of a descriptor.
            try #require(umount2(inside.string, CInt(MNT_DETACH)) == 0)
            try await body(StandIn("ext4:\(device)")!, folder)
        } catch {
            Issue.record(error)
        }
        for mount in try MountTable().mounts(below: folder.string).reversed() { umount2(mount.mountPoint, CInt(MNT_DETACH)) }
        let detached = try await command(["losetup", "--detach", device])
        #expect(detached.status == 0, "\(detached)")
    }
}

/// What lstat(2) says of a path, for comparing.
struct FileStatus: Equatable {
    var mode: mode_t
    var user: uid_t
    var group: gid_t

    init?(_ path: FilePath) {
        var status = stat()
        guard lstat(path.string, &status) == 0 else { return nil }
        (mode, user, group) = (status.st_mode & 0o7777, status.st_uid, status.st_gid)
    }

    init(mode: mode_t, user: uid_t = 0, group: gid_t = 0) { (self.mode, self.user, self.group) = (mode, user, group) }
}
