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
}

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
    }

    /// `rprivate`, `private`, `rshared`, `shared`, `rslave`, `slave`.
    public struct Propagation: MountPointWord {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
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

    public struct Container: Sendable, Equatable {
        public var labels: StringMap

        public init(labels: StringMap = [:]) { self.labels = labels }
    }

    public struct Image: Sendable, Equatable {
        public var labels: StringMap

        public init(labels: StringMap = [:]) { self.labels = labels }
    }

    /// Where the mount comes from now, after the plugins that were asked so far; an absolute path of the host.
    public var effectiveSource: String
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
    public var container: Container
    public var image: Image

    /// A mount that no plugin has been asked about: its effective source is its source, likewise the consistency.
    public init(
        type: MountType, source: String, destination: String, readOnly: Bool = false, mode: String = "",
        propagation: Propagation = .unspecified, createSourceIfMissing: Bool = false, consistency: Consistency = .unspecified,
        volume: Volume = Volume(), container: Container = Container(), image: Image = Image()
    ) {
        self.effectiveSource = source
        self.effectiveConsistency = consistency
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

    public init(effectiveSource: String = "", effectiveConsistency: Consistency = .unspecified) {
        self.effectiveSource = effectiveSource
        self.effectiveConsistency = effectiveConsistency
    }
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
