// SPDX-License-Identifier: AGPL-3.0-or-later

/// How far container and host may see different contents for a while (`docker run -v a:b:cached`).
public struct Consistency: MountPointWord {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static var `default`: Self { Self(rawValue: "default") }
    public static var consistent: Self { Self(rawValue: "consistent") }
    public static var cached: Self { Self(rawValue: "cached") }
    public static var delegated: Self { Self(rawValue: "delegated") }
}

/// A mount that a container is to get, as a plugin is shown it.
public struct MountPoint: Sendable, Equatable {
    public struct MountType: MountPointWord {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        public static var bind: Self { Self(rawValue: "bind") }
        public static var volume: Self { Self(rawValue: "volume") }
        /// Only for plugins that ask for it, see ``MountPointProperties/types``.
        public static var tmpfs: Self { Self(rawValue: "tmpfs") }
        /// No mount, but the container itself, see ``ContainerDescription/isAddressed``. Only for plugins that ask for it, which can allow
        /// or deny it.
        public static var container: Self { Self(rawValue: "container") }
    }

    /// `rprivate`, `private`, `rshared`, `shared`, `rslave`, `slave`.
    public struct Propagation: MountPointWord {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        public static var rprivate: Self { Self(rawValue: "rprivate") }
        public static var rslave: Self { Self(rawValue: "rslave") }
    }

    public struct Scope: MountPointWord {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        public static var local: Self { Self(rawValue: "local") }
        public static var global: Self { Self(rawValue: "global") }
    }

    /// The volume behind a mount; all empty if there is none.
    public struct Volume: Sendable, Equatable {
        public var name: String
        public var driver: String
        public var id: String
        public var labels: StringMap
        /// What the driver says of it.
        public var driverOptions: StringMap
        public var scope: Scope
        /// What it was made with (`docker volume create -o`).
        public var options: StringMap

        public init(
            name: String = "", driver: String = "", id: String = "", labels: StringMap = [:], driverOptions: StringMap = [:],
            scope: Scope = .unspecified, options: StringMap = [:]
        ) {
            self.name = name
            self.driver = driver
            self.id = id
            self.labels = labels
            self.driverOptions = driverOptions
            self.scope = scope
            self.options = options
        }
    }

    public struct Image: Sendable, Equatable {
        public var labels: StringMap
        /// As the container's creator spelled it.
        public var name: String
        /// `sha256:` and 64 digits.
        public var id: String

        public init(labels: StringMap = [:], name: String = "", id: String = "") {
            self.labels = labels
            self.name = name
            self.id = id
        }
    }

    /// Where the mount comes from now, after the plugins that were asked so far; an absolute path of the host. Empty for one of tmpfs.
    public var effectiveSource: String
    /// Absolute paths of the host that show what ``effectiveSource`` shows, itself among them. This project's own.
    public var origin: [String] = []
    public var effectiveConsistency: Consistency
    /// Where it came from before any plugin was asked.
    public var source: String
    /// A path in the container.
    public var destination: String
    public var readOnly: Bool
    public var type: MountType
    /// The third field of `-v`.
    public var mode: String
    public var propagation: Propagation
    public var createSourceIfMissing: Bool
    public var consistency: Consistency
    /// Who has attached so far, first applied first.
    public var appliedMiddleware: [AppliedMiddleware]
    public var volume: Volume
    public var container: ContainerDescription
    public var image: Image

    /// The container itself, shown beside its mounts.
    public init(of container: ContainerDescription) { self.init(type: .container, source: "", destination: "", container: container) }

    /// A mount that no plugin has been asked about: its effective source is its source. Its effective consistency is the default,
    /// whatever was asked for: it says what has been applied.
    public init(
        type: MountType, source: String, destination: String, readOnly: Bool = false, mode: String = "",
        propagation: Propagation = .unspecified, createSourceIfMissing: Bool = false, consistency: Consistency = .unspecified,
        volume: Volume = Volume(), container: ContainerDescription = ContainerDescription(), image: Image = Image()
    ) {
        self.effectiveSource = source
        self.effectiveConsistency = .default
        self.source = source
        self.destination = destination
        self.readOnly = readOnly
        self.type = type
        self.mode = mode
        self.propagation = propagation
        self.createSourceIfMissing = createSourceIfMissing
        self.consistency = consistency
        self.appliedMiddleware = []
        self.volume = volume
        self.container = container
        self.image = image
    }
}

/// What a plugin has changed about a mount.
public struct MountPointChanges: Sendable, Equatable {
    /// The new source, or empty for no change.
    public var effectiveSource: String
    public var effectiveConsistency: Consistency
    /// Makes the mount read-only; false changes nothing.
    public var readOnly: Bool
    /// Options that the mount is to have besides its own.
    public var options: [MountOption]
    public var propagation: MountPoint.Propagation

    public init(
        effectiveSource: String = "", effectiveConsistency: Consistency = .unspecified, readOnly: Bool = false, options: [MountOption] = [],
        propagation: MountPoint.Propagation = .unspecified
    ) {
        self.effectiveSource = effectiveSource
        self.effectiveConsistency = effectiveConsistency
        self.readOnly = readOnly
        self.options = options
        self.propagation = propagation
    }
}

/// An option of a mount that a plugin may add. mount(8).
public struct MountOption: MountPointWord {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static var nosuid: Self { Self(rawValue: "nosuid") }
    public static var nodev: Self { Self(rawValue: "nodev") }
    public static var noexec: Self { Self(rawValue: "noexec") }
    public static var noatime: Self { Self(rawValue: "noatime") }
    public static var nosymfollow: Self { Self(rawValue: "nosymfollow") }
    /// Those that a plugin may name.
    public static var known: [Self] { [.nosuid, .nodev, .noexec, .noatime, .nosymfollow] }
}

/// A plugin that takes part in a mount, and what it has changed.
public struct AppliedMiddleware: Sendable, Equatable {
    /// `plugin:` and the plugin's name.
    public var name: String
    public var changes: MountPointChanges

    public init(name: String, changes: MountPointChanges = MountPointChanges()) {
        self.name = name
        self.changes = changes
    }
}
