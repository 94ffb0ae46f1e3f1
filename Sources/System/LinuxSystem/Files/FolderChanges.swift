// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// Changes of what is in a folder. None follows a symbolic link, and none reaches past the disk: see ``OpenFolder/sync()``.
extension OpenFolder {
    // MARK: Names

    /// mkdirat(2); the mode is as given, whatever the umask is.
    public func makeFolder(_ name: EntryName, mode: UInt32) throws(SystemError) {
        try systemCall("mkdirat", on: path(of: name)) { mkdirat(descriptor, name.terminated, 0o700) }
        if mode != 0o700 { try setMode(of: name, to: mode) }
    }

    /// symlinkat(2)
    public func makeLink(_ name: EntryName, to target: [UInt8]) throws(SystemError) {
        let target = target.map { CChar(bitPattern: $0) } + [0]
        try systemCall("symlinkat", on: path(of: name)) { symlinkat(target, descriptor, name.terminated) }
    }

    /// A FIFO, a socket's file or a device. mknodat(2)
    ///
    /// - Parameter status: of which its kind and, for a device, its numbers count.
    public func makeNode(_ name: EntryName, like status: EntryStatus) throws(SystemError) {
        let type: mode_t
        switch status.kind {
        case .fifo: type = S_IFIFO
        case .socket: type = S_IFSOCK
        case .characterDevice: type = S_IFCHR
        case .blockDevice: type = S_IFBLK
        default: throw SystemError("mknodat", .invalidArgument, on: path(of: name))
        }
        try systemCall("mknodat", on: path(of: name)) { mknodat(descriptor, name.terminated, type | 0o600, dev_t(status.node)) }
    }

    /// linkat(2): one more name of a file that is no folder.
    public func link(_ name: EntryName, in folder: OpenFolder, as other: EntryName) throws(SystemError) {
        try systemCall("linkat", on: "\(folder.path(of: name)) as \(path(of: other))") {
            linkat(folder.descriptor, name.terminated, descriptor, other.terminated, 0)
        }
    }

    /// renameat2(2)
    ///
    /// - Parameter replacing: whether what has the new name is replaced; if not, `EEXIST`.
    public func rename(
        _ name: EntryName, to other: EntryName, in folder: OpenFolder, replacing: Bool = true
    ) throws(SystemError) {
        let flags = replacing ? 0 : UInt32(CLINUX_RENAME_NOREPLACE)
        try systemCall("renameat2", on: "\(path(of: name)) to \(folder.path(of: other))") {
            CLinux_rename(descriptor, name.terminated, folder.descriptor, other.terminated, flags)
        }
    }

    /// Of what is no folder. unlinkat(2)
    public func remove(_ name: EntryName) throws(SystemError) {
        try systemCall("unlinkat", on: path(of: name)) { unlinkat(descriptor, name.terminated, 0) }
    }

    /// Of an empty folder. unlinkat(2), AT_REMOVEDIR
    public func removeFolder(_ name: EntryName) throws(SystemError) {
        try systemCall("unlinkat", on: path(of: name)) { unlinkat(descriptor, name.terminated, AT_REMOVEDIR) }
    }

    // MARK: Attributes

    /// fchownat(2). The kernel takes set-uid, set-gid and capabilities of a file away.
    public func setOwner(of name: EntryName, user: UInt32, group: UInt32) throws(SystemError) {
        try systemCall("fchownat", on: path(of: name)) {
            fchownat(descriptor, name.terminated, user, group, AT_SYMLINK_NOFOLLOW)
        }
    }

    /// Of what is no symbolic link. chmod(2) of an O_PATH descriptor
    public func setMode(of name: EntryName, to mode: UInt32) throws(SystemError) {
        try systemCall("chmod", on: path(of: name)) { CLinux_change_mode(descriptor, name.terminated, mode & 0o7777) }
    }

    /// utimensat(2)
    public func setTimes(
        of name: EntryName, access: EntryStatus.Time, modification: EntryStatus.Time
    ) throws(SystemError) {
        let times = [access, modification].map { timespec(tv_sec: Int($0.seconds), tv_nsec: Int($0.nanoseconds)) }
        try systemCall("utimensat", on: path(of: name)) { utimensat(descriptor, name.terminated, times, AT_SYMLINK_NOFOLLOW) }
    }

    /// fchown(2), chmod(2) and utimensat(2) of the folder itself.
    public func setOwner(user: UInt32, group: UInt32) throws(SystemError) {
        try systemCall("fchownat", on: text) { fchownat(descriptor, ".", user, group, AT_SYMLINK_NOFOLLOW) }
    }

    public func setMode(to mode: UInt32) throws(SystemError) {
        try systemCall("fchmodat", on: text) { fchmodat(descriptor, ".", mode_t(mode & 0o7777), 0) }
    }

    public func setTimes(access: EntryStatus.Time, modification: EntryStatus.Time) throws(SystemError) {
        let times = [access, modification].map { timespec(tv_sec: Int($0.seconds), tv_nsec: Int($0.nanoseconds)) }
        try systemCall("utimensat", on: text) { utimensat(descriptor, ".", times, 0) }
    }
}
