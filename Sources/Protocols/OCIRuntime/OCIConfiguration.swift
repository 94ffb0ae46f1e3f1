// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// A bundle's config.json (OCI runtime specification 1.0 to 1.3): what decides about mounts, and all the rest kept as it is.
public struct OCIConfiguration: Sendable {
    /// Bytes; Docker's own have some 20 KB.
    public static let sizeLimit = 16 << 20

    public struct Mount: Sendable, Equatable {
        /// As written. Older specifications allow relative ones.
        public let destination: String
        /// Cleaned, and absolute: what to compare by.
        public let cleanedDestination: String
        public fileprivate(set) var type: String?
        /// As written; runtimes take a relative one of a bind mount relative to the bundle.
        public fileprivate(set) var source: String?
        public fileprivate(set) var options: [String]

        /// By type or by options, as runc and crun decide: with `bind` or `rbind` among the options the type means nothing.
        public var isBind: Bool { type == "bind" || options.contains("bind") || options.contains("rbind") }
        public var isTmpfs: Bool { type == "tmpfs" && !isBind }
    }

    /// Whom a process runs as, in the container's own ids.
    public struct User: Sendable, Equatable {
        public let uid: UInt32
        public let gid: UInt32
        public let additionalGIDs: [UInt32]
    }

    /// A range of ids of a user namespace. user_namespaces(7).
    public struct IDMapping: Sendable, Equatable {
        public let containerID: UInt32
        public let hostID: UInt32
        public let size: UInt32
    }

    public struct Namespace: Sendable, Equatable {
        /// `pid`, `network`, `mount`, `ipc`, `uts`, `user`, `cgroup` or `time`.
        public let type: String
        /// Of one to join; nil for one that is made for the container.
        public fileprivate(set) var path: String?
    }

    /// In the order in which they are mounted.
    public private(set) var mounts: [Mount]
    /// Of the root file system, as written: a relative one is relative to the bundle.
    public let rootPath: String?
    /// Whether the container's process gets a terminal.
    public let hasTerminal: Bool
    public private(set) var namespaces: [Namespace]
    public let cgroupsPath: String?
    public let hostname: String?
    /// Of the container's first process, if it is said.
    public let user: User?
    public let uidMappings: [IDMapping]
    public let gidMappings: [IDMapping]
    /// Whether a user namespace's ids are mapped.
    public var hasUserMappings: Bool { !uidMappings.isEmpty }
    /// Those whose value is text, which is what the specification allows.
    private let annotations: JSONObject
    private var document: JSONObject

    /// - Throws: `ConfigurationError` if it is not JSON, or not of the specification's types in what is read here.
    public init(parsing bytes: [UInt8]) throws(ConfigurationError) {
        let reader = try ConfigurationReader(bytes)
        document = reader.document.members
        mounts = try reader.mounts()
        rootPath = try reader.text("path", in: "root")
        hasTerminal = try reader.flag("terminal", in: "process")
        namespaces = try reader.namespaces()
        cgroupsPath = try reader.text("cgroupsPath", in: "linux")
        hostname = try reader.text("hostname")
        user = try reader.user()
        uidMappings = try reader.mappings("uidMappings")
        gidMappings = try reader.mappings("gidMappings")
        annotations = try reader.object("annotations").members
    }

    /// The namespace of that type, if the container does not stay in its creator's.
    public func namespace(_ type: String) -> Namespace? { namespaces.first { $0.type == type } }

    public func annotation(_ key: String) -> String? { annotations[key]?.stringValue }

    /// Those whose value is text, in the order written.
    public var annotationTexts: [(key: String, value: String)] {
        annotations.members.compactMap { member in member.value.stringValue.map { (member.key, $0) } }
    }

    /// Puts another source in the place of a mount's.
    ///
    /// - Parameter index: of ``mounts``.
    public mutating func setSource(ofMount index: Int, to source: String) {
        mounts[index].source = source
        set(["source": .string(source)], ofMount: index)
    }

    /// Puts other options in the place of a mount's.
    ///
    /// - Parameter index: of ``mounts``.
    public mutating func setOptions(ofMount index: Int, to options: [String]) {
        mounts[index].options = options
        set(["options": .array(options.map { .string($0) })], ofMount: index)
    }

    /// Makes a bind mount of one of another type.
    ///
    /// - Parameter index: of ``mounts``.
    public mutating func makeBind(ofMount index: Int, source: String, options: [String]) {
        mounts[index].type = "bind"
        set(["type": "bind"], ofMount: index)
        setSource(ofMount: index, to: source)
        setOptions(ofMount: index, to: options)
    }

    private mutating func set(_ members: JSONObject, ofMount index: Int) {
        guard case .array(var elements)? = document["mounts"], case .object(var mount) = elements[index] else { return }
        for member in members.members { mount[member.key] = member.value }
        elements[index] = .object(mount)
        document["mounts"] = .array(elements)
    }

    /// Has the container join another namespace.
    ///
    /// - Parameter index: of ``namespaces``.
    public mutating func setPath(ofNamespace index: Int, to path: String) {
        guard case .object(var linux)? = document["linux"], case .array(var elements)? = linux["namespaces"],
            case .object(var namespace) = elements[index]
        else { return }
        namespace["path"] = .string(path)
        elements[index] = .object(namespace)
        linux["namespaces"] = .array(elements)
        document["linux"] = .object(linux)
        namespaces[index].path = path
    }

    /// The document with what has been set: every other member, its place and each number's spelling as they were.
    public func encoded() -> [UInt8] { JSONValue.object(document).encoded() }
}

/// Why a config.json cannot be used; one line, without the file's name.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
