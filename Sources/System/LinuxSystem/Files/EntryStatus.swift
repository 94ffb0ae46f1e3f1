// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// What something in a folder is. statx(2)
public struct EntryStatus: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case file, folder, link, fifo, socket, characterDevice, blockDevice, other
    }

    /// Seconds and nanoseconds since 1970.
    public struct Time: Sendable, Hashable, Comparable {
        public var seconds: Int64
        public var nanoseconds: UInt32

        public init(seconds: Int64, nanoseconds: UInt32) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }

        public static func < (one: Time, other: Time) -> Bool {
            (one.seconds, one.nanoseconds) < (other.seconds, other.nanoseconds)
        }

        /// As the kernel stamps files: by its last tick. clock_gettime(2), CLOCK_REALTIME_COARSE
        public static func ofLastTick() -> Time {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME_COARSE, &time)
            return Time(seconds: Int64(time.tv_sec), nanoseconds: UInt32(truncatingIfNeeded: time.tv_nsec))
        }
    }

    public var kind: Kind
    /// Permissions with set-uid, set-gid and sticky: at most 07777.
    public var mode: UInt32
    public var user: UInt32
    public var group: UInt32
    public var links: UInt32
    public var inode: UInt64
    /// Bytes.
    public var size: UInt64
    /// Of its file system.
    public var device: UInt64
    /// Of the device that it is.
    public var node: UInt64
    public var access: Time
    public var change: Time
    public var modification: Time
    /// When it was made; nil if its file system does not keep that.
    public var birth: Time?
    /// Something is mounted there, so it is not the folder's own. False before Linux 5.8.
    public var isMountRoot: Bool

    init(_ status: CLinux_status) {
        kind =
            switch mode_t(status.mode) & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFLNK: .link
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            default: .other
            }
        mode = status.mode & 0o7777
        (user, group, links, inode) = (status.user, status.group, status.links, status.inode)
        (size, device, node) = (status.size, status.device, status.node)
        access = Time(seconds: status.access_seconds, nanoseconds: status.access_nanoseconds)
        change = Time(seconds: status.change_seconds, nanoseconds: status.change_nanoseconds)
        modification = Time(seconds: status.modification_seconds, nanoseconds: status.modification_nanoseconds)
        birth = status.has_birth == 0 ? nil : Time(seconds: status.birth_seconds, nanoseconds: status.birth_nanoseconds)
        isMountRoot = status.is_mount_root != 0
    }

    /// Whether both are one file.
    public func isSame(as other: EntryStatus) -> Bool { inode == other.inode && device == other.device }
}

extension OpenFolder {
    /// Of what a name names; a symbolic link is not followed.
    public func status(of name: EntryName) throws(SystemError) -> EntryStatus {
        var found = CLinux_status()
        try systemCall("statx", on: path(of: name)) { CLinux_status_of(descriptor, name.terminated, &found) }
        return EntryStatus(found)
    }

    /// Nil if there is nothing of that name.
    public func statusIfThere(of name: EntryName) throws(SystemError) -> EntryStatus? {
        do throws(SystemError) { return try status(of: name) } catch  where error.errno == .noSuchFileOrDirectory { return nil }
    }

    /// Of the folder itself.
    public func status() throws(SystemError) -> EntryStatus {
        var found = CLinux_status()
        try systemCall("statx", on: text) { CLinux_status_of(descriptor, "", &found) }
        return EntryStatus(found)
    }

    /// Where a symbolic link leads: any bytes. readlinkat(2)
    public func target(ofLink name: EntryName) throws(SystemError) -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = try systemCall("readlinkat", on: path(of: name)) {
            readlinkat(descriptor, name.terminated, &buffer, buffer.count)
        }
        return buffer[..<count].map { UInt8(bitPattern: $0) }
    }
}
