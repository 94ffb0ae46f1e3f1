// SPDX-License-Identifier: AGPL-3.0-or-later

/// A word of the MountPoint interface that peers may extend: one that is not among the constants is kept as it is.
///
/// So a pattern that asks for a value that this host never gives (`"Type":"npipe"`) can be read, and simply equals nothing.
/// Empty means that nothing is said.
public protocol MountPointWord: RawRepresentable, Sendable, Hashable where RawValue == String {
    init(rawValue: String)
}

extension MountPointWord {
    public static var unspecified: Self { Self(rawValue: "") }
    public var isUnspecified: Bool { rawValue.isEmpty }

    /// By bytes, as for Go; `==` of texts would take what only looks the same for the same.
    public static func == (one: Self, other: Self) -> Bool { one.rawValue.utf8.elementsEqual(other.rawValue.utf8) }
    public func hash(into hasher: inout Hasher) { for byte in rawValue.utf8 { hasher.combine(byte) } }
}
