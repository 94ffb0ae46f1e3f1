// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// Flags of mount(2): `MS_…`.
public struct MountFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let readOnly = MountFlags(rawValue: UInt64(MS_RDONLY))
    public static let noSetUID = MountFlags(rawValue: UInt64(MS_NOSUID))
    public static let noDevices = MountFlags(rawValue: UInt64(MS_NODEV))
    public static let noExecution = MountFlags(rawValue: UInt64(MS_NOEXEC))
    public static let synchronous = MountFlags(rawValue: UInt64(MS_SYNCHRONOUS))
    public static let synchronousDirectories = MountFlags(rawValue: UInt64(MS_DIRSYNC))
    public static let noAccessTime = MountFlags(rawValue: UInt64(MS_NOATIME))
    public static let noDirectoryAccessTime = MountFlags(rawValue: UInt64(MS_NODIRATIME))
    public static let bind = MountFlags(rawValue: UInt64(MS_BIND))
    public static let silent = MountFlags(rawValue: UInt64(MS_SILENT))
    public static let relativeAccessTime = MountFlags(rawValue: UInt64(MS_RELATIME))
    public static let strictAccessTime = MountFlags(rawValue: UInt64(MS_STRICTATIME))
    public static let lazyTime = MountFlags(rawValue: UInt64(MS_LAZYTIME))
}

/// Flags of umount2(2).
public struct UnmountFlags: OptionSet, Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    /// Aborts waiting requests; they fail with EIO.
    public static let force = UnmountFlags(rawValue: Int(MNT_FORCE))
    /// Takes the mount off the tree at once; its end comes when the last user goes.
    public static let detach = UnmountFlags(rawValue: Int(MNT_DETACH))
    public static let noFollow = UnmountFlags(rawValue: Int(UMOUNT_NOFOLLOW))
}
