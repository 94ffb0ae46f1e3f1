// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux

/// Per-mount attributes for fsmount(2): `MOUNT_ATTR_…`, Linux 5.2.
public struct MountAttributes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let readOnly = MountAttributes(rawValue: UInt64(MOUNT_ATTR_RDONLY))
    public static let noSetUID = MountAttributes(rawValue: UInt64(MOUNT_ATTR_NOSUID))
    public static let noDevices = MountAttributes(rawValue: UInt64(MOUNT_ATTR_NODEV))
    public static let noExecution = MountAttributes(rawValue: UInt64(MOUNT_ATTR_NOEXEC))
    public static let noAccessTime = MountAttributes(rawValue: UInt64(MOUNT_ATTR_NOATIME))
    public static let strictAccessTime = MountAttributes(rawValue: UInt64(MOUNT_ATTR_STRICTATIME))
    public static let noDirectoryAccessTime = MountAttributes(rawValue: UInt64(MOUNT_ATTR_NODIRATIME))

    /// Of those words of a mount's options that forbid something: `nosuid`, `nodev`, `noexec`. All others are passed over.
    public init(forbiddenBy words: [String]) {
        self = []
        if words.contains("nosuid") { insert(.noSetUID) }
        if words.contains("nodev") { insert(.noDevices) }
        if words.contains("noexec") { insert(.noExecution) }
    }
}
