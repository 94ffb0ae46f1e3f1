// SPDX-License-Identifier: AGPL-3.0-or-later

/// Per-mount attributes for fsmount(2): `MOUNT_ATTR_…`, Linux 5.2.
public struct MountAttributes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let readOnly = MountAttributes(rawValue: 0x01)
    public static let noSetUID = MountAttributes(rawValue: 0x02)
    public static let noDevices = MountAttributes(rawValue: 0x04)
    public static let noExecution = MountAttributes(rawValue: 0x08)
    public static let noAccessTime = MountAttributes(rawValue: 0x10)
    public static let strictAccessTime = MountAttributes(rawValue: 0x20)
    public static let noDirectoryAccessTime = MountAttributes(rawValue: 0x80)
}

/// Flags of mount(2): `MS_…`.
public struct MountFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let readOnly = MountFlags(rawValue: 1)
    public static let noSetUID = MountFlags(rawValue: 2)
    public static let noDevices = MountFlags(rawValue: 4)
    public static let noExecution = MountFlags(rawValue: 8)
    public static let synchronous = MountFlags(rawValue: 16)
    public static let synchronousDirectories = MountFlags(rawValue: 128)
    public static let noAccessTime = MountFlags(rawValue: 1 << 10)
    public static let noDirectoryAccessTime = MountFlags(rawValue: 1 << 11)
    public static let bind = MountFlags(rawValue: 1 << 12)
    public static let silent = MountFlags(rawValue: 1 << 15)
    public static let relativeAccessTime = MountFlags(rawValue: 1 << 21)
    public static let strictAccessTime = MountFlags(rawValue: 1 << 24)
    public static let lazyTime = MountFlags(rawValue: 1 << 25)
}

/// Flags of umount2(2).
public struct UnmountFlags: OptionSet, Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    /// Aborts waiting requests; they fail with EIO.
    public static let force = UnmountFlags(rawValue: 1)
    /// Takes the mount off the tree at once; its end comes when the last user goes.
    public static let detach = UnmountFlags(rawValue: 2)
    public static let noFollow = UnmountFlags(rawValue: 8)
}
