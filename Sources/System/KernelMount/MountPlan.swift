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
    /// How the kernel has it wait for mounts from other servers; nil if it does not.
    public var contention: Contention?

    /// What the kernel makes one attempt wait for.
    public struct Contention: Sendable, Equatable {
        /// Which server is asked; attempts at one server may wait for one another.
        public var server: String
        /// The functions of the kernel in which an attempt waits for another one, whichever server that one asks.
        public var waitingFunctions: [String]

        public init(server: String, waitingFunctions: [String]) {
            self.server = server
            self.waitingFunctions = waitingFunctions
        }
    }

    public init(
        fileSystem: String, source: String, options: [MountOption], generic: GenericMountOptions, contention: Contention? = nil
    ) {
        self.fileSystem = fileSystem
        self.source = source
        self.options = options
        self.generic = generic
        self.contention = contention
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
