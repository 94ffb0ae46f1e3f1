// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// A range of ids of a user namespace, as a line of uid_map(5) has it.
public struct IDRange: Sendable, Hashable {
    public var inside: UInt32
    public var outside: UInt32
    public var count: UInt32

    public init(inside: UInt32, outside: UInt32, count: UInt32) {
        self.inside = inside
        self.outside = outside
        self.count = count
    }

    var line: String { "\(inside) \(outside) \(count)\n" }
}

/// A user namespace with ids mapped and no process in it, held open. user_namespaces(7).
///
/// An id-mapped mount takes its maps: what is owned by `inside` on the file system appears as owned by `outside` on the mount.
public final class UserNamespace: Sendable {
    let descriptor: CInt

    /// Bytes of the text of a map, less than a page.
    private static let mapLimit = 4095

    /// - Throws: `SystemError`; `EINVAL` for ranges that overlap, or more than fit in 4095 bytes of text; `ENOSPC` at the limit
    ///   `user.max_user_namespaces`.
    public init(users: [IDRange], groups: [IDRange]) throws(SystemError) {
        let maps = [("uid_map", users), ("gid_map", groups)].map { (name: $0, text: $1.map(\.line).joined()) }
        for map in maps where map.text.utf8.count > Self.mapLimit {
            throw SystemError(
                "write", .invalidArgument, on: "\(map.text.utf8.count) bytes to \(map.name)",
                hint: "the kernel takes \(Self.mapLimit) bytes at most; name fewer ranges")
        }
        let pipe = try makePipe()
        let child: CInt
        do throws(SystemError) {
            child = try systemCall("clone", on: "CLONE_NEWUSER") { CLinux_hold_user_namespace(pipe.reading) }
        } catch {
            Glibc.close(pipe.reading)
            Glibc.close(pipe.writing)
            throw error
        }
        defer {
            Glibc.close(pipe.reading)
            Glibc.close(pipe.writing)
            // It may have kept the other end of the pipe, so that only a signal ends it surely.
            kill(child, SIGKILL)
            while waitpid(child, nil, 0) < 0 && errno == EINTR {}
        }
        for map in maps { try Self.write(map.text, to: "/proc/\(child)/\(map.name)") }
        let path = "/proc/\(child)/ns/user"
        descriptor = try systemCall("open", on: path) { open(path, O_RDONLY | O_CLOEXEC) }
    }

    deinit { Glibc.close(descriptor) }

    /// The kernel takes a map in one piece.
    private static func write(_ text: String, to path: String) throws(SystemError) {
        let file = try systemCall("open", on: path) { open(path, O_WRONLY | O_CLOEXEC) }
        defer { Glibc.close(file) }
        let bytes = Array(text.utf8)
        try systemCall("write", on: path) { Glibc.write(file, bytes, bytes.count) }
    }
}

extension DetachedMount {
    /// Has the owners of files appear as a user namespace maps them. mount_setattr(2), MOUNT_ATTR_IDMAP, Linux 5.12.
    ///
    /// - Parameter recursively: all mounts below, too.
    /// - Throws: `SystemError`; `EINVAL` if the file system cannot do it (overlay, NFS, ramfs and others), `EPERM` if the mount is mapped
    ///   already.
    public func mapIDs(of namespace: UserNamespace, recursively: Bool = false) throws(SystemError) {
        try systemCall("mount_setattr", on: "MOUNT_ATTR_IDMAP") { mapIDs(namespace, recursively) }
    }
}
