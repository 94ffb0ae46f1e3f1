// SPDX-License-Identifier: AGPL-3.0-or-later

/// What a text must be like. Every field that is set must hold; with ``not``, every field that is set must fail to hold.
///
/// An empty field is not set. With nothing set, it matches anything, with ``not`` or without.
public struct StringPattern: Sendable, Equatable {
    public var not: Bool
    /// The text is empty.
    public var empty: Bool
    public var prefix: String
    /// The text is this path or something below it. Both are cleaned lexically (`.`, `..`, doubled and trailing slashes).
    public var pathPrefix: String
    public var suffix: String
    /// The text is this path or a directory above it, so that who mounts the text gets to see this path.
    public var pathContains: String
    public var exactly: String
    public var contains: String

    public init(
        not: Bool = false, empty: Bool = false, prefix: String = "", pathPrefix: String = "", suffix: String = "",
        pathContains: String = "", exactly: String = "", contains: String = ""
    ) {
        self.not = not
        self.empty = empty
        self.prefix = prefix
        self.pathPrefix = pathPrefix
        self.suffix = suffix
        self.pathContains = pathContains
        self.exactly = exactly
        self.contains = contains
    }

    /// Whether nothing is set; ``not`` alone asks nothing.
    public var isEmpty: Bool {
        !empty && prefix.isEmpty && pathPrefix.isEmpty && suffix.isEmpty && pathContains.isEmpty && exactly.isEmpty && contains.isEmpty
    }
}

/// What labels or options must be like. All elements must hold; with ``not``, each of them must fail to hold.
public struct StringMapPattern: Sendable, Equatable {
    public struct Element: Sendable, Equatable {
        public var key: StringPattern
        public var value: StringPattern

        public init(key: StringPattern = StringPattern(), value: StringPattern = StringPattern()) {
            self.key = key
            self.value = value
        }
    }

    public var not: Bool
    /// For each element, some pair matches its key and its value.
    public var exists: [Element]
    /// For each element, every pair whose key matches has a matching value. If its value asks nothing, every key must match.
    public var all: [Element]

    public init(not: Bool = false, exists: [Element] = [], all: [Element] = []) {
        self.not = not
        self.exists = exists
        self.all = all
    }
}

/// What the list of plugins that have attached to a mount must be like. An empty list of elements asks nothing.
public struct AppliedMiddlewarePattern: Sendable, Equatable {
    public struct Element: Sendable, Equatable {
        public struct Changes: Sendable, Equatable {
            public var effectiveSource: [StringPattern]
            public var effectiveConsistency: Consistency?

            public init(effectiveSource: [StringPattern] = [], effectiveConsistency: Consistency? = nil) {
                self.effectiveSource = effectiveSource
                self.effectiveConsistency = effectiveConsistency
            }
        }

        public var name: [StringPattern]
        public var changes: Changes

        public init(name: [StringPattern] = [], changes: Changes = Changes()) {
            self.name = name
            self.changes = changes
        }
    }

    /// Each element matches some plugin of the list.
    public var exists: [Element] = []
    /// Each element matches no plugin of the list.
    public var notExists: [Element] = []
    /// Each element matches every plugin of the list.
    public var all: [Element] = []
    /// Each element does not match some plugin of the list.
    public var notAll: [Element] = []
    /// The elements match plugins that follow one another somewhere in the list.
    public var anySequence: [Element] = []
    public var notAnySequence: [Element] = []
    /// The elements match the plugins at the start of the list, those that were applied first.
    public var topSequence: [Element] = []
    public var notTopSequence: [Element] = []
    /// The elements match the plugins at the end of the list.
    public var bottomSequence: [Element] = []
    public var notBottomSequence: [Element] = []
    /// The elements match plugins of the list in this order, with others between them or not.
    public var relativeOrder: [Element] = []
    public var notRelativeOrder: [Element] = []

    public init() {}
}

/// Which mounts a plugin wants to be asked about. Everything given must hold; an empty pattern matches every mount.
public struct MountPointPattern: Sendable, Equatable {
    public struct Volume: Sendable, Equatable {
        public var name: [StringPattern] = []
        public var driver: [StringPattern] = []
        public var id: [StringPattern] = []
        public var labels: [StringMapPattern] = []
        public var driverOptions: [StringMapPattern] = []
        public var scope: MountPoint.Scope?
        public var options: [StringMapPattern] = []

        public init() {}
    }

    public struct Container: Sendable, Equatable {
        public var labels: [StringMapPattern]

        public init(labels: [StringMapPattern] = []) { self.labels = labels }
    }

    public struct Image: Sendable, Equatable {
        public var labels: [StringMapPattern]

        public init(labels: [StringMapPattern] = []) { self.labels = labels }
    }

    // In each list every pattern must hold. nil matches anything; an empty string matches a mount that does not set the field.
    public var effectiveSource: [StringPattern] = []
    /// Each pattern must hold for one of the paths at least; with ``StringPattern/not``, it must hold for all of them.
    public var origin: [StringPattern] = []
    public var effectiveConsistency: Consistency?
    public var source: [StringPattern] = []
    public var destination: [StringPattern] = []
    public var readOnly: Bool?
    public var type: MountPoint.MountType?
    public var mode: [StringPattern] = []
    public var propagation: MountPoint.Propagation?
    public var createSourceIfMissing: Bool?
    public var consistency: Consistency?
    public var appliedMiddleware = AppliedMiddlewarePattern()
    public var volume = Volume()
    public var container = Container()
    public var image = Image()

    public init() {}

    /// Whether nothing in it can fail to hold.
    public var asksForEveryMount: Bool {
        var rest = self
        let texts: [WritableKeyPath<Self, [StringPattern]>] = [
            \.effectiveSource, \.origin, \.source, \.destination, \.mode, \.volume.name, \.volume.driver, \.volume.id,
        ]
        for list in texts { rest[keyPath: list].removeAll { $0.isEmpty } }
        let maps: [WritableKeyPath<Self, [StringMapPattern]>] = [
            \.volume.labels, \.volume.driverOptions, \.volume.options, \.container.labels, \.image.labels,
        ]
        for list in maps { rest[keyPath: list].removeAll { $0.exists.isEmpty && $0.all.isEmpty } }
        return rest == Self()
    }
}
