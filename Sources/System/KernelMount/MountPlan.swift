// SPDX-License-Identifier: AGPL-3.0-or-later

/// A mount as data: all that one attempt hands to the kernel.
public struct MountPlan: Sendable, Equatable {
    /// The file system's type, as in /proc/filesystems.
    public var fileSystem: String
    /// What mountinfo shows as the source, such as `host:/path`.
    public var source: String
    /// For fsconfig(2), in order.
    public var options: [MountOption]
    public var generic: GenericMountOptions

    public init(fileSystem: String, source: String, options: [MountOption], generic: GenericMountOptions) {
        self.fileSystem = fileSystem
        self.source = source
        self.options = options
        self.generic = generic
    }

    /// The longest string that fsconfig(2) takes, in bytes without the NUL.
    private static let longestString = 255

    /// Whether every string fits fsconfig(2); otherwise only mount(2) is left.
    public var fitsFSConfig: Bool {
        source.utf8.count <= Self.longestString && options.allSatisfy { ($0.value ?? "").utf8.count <= Self.longestString }
    }

    /// The data argument of mount(2), or nil if a value has a comma in it: it would break out of the list.
    public var dataString: String? {
        if options.contains(where: { $0.text.utf8.contains(UInt8(ascii: ",")) }) { return nil }
        return options.map(\.text).joined(separator: ",")
    }
}
