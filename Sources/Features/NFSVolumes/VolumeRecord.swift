// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import KernelMount

/// A volume as those who ask for it see it.
struct VolumeView: Sendable, Equatable {
    var name: String
    /// An absolute path, or empty while the volume is not mounted.
    var mountpoint = ""
    /// RFC 3339, UTC.
    var createdAt: String?
    /// What ``VolumeStatus`` gives.
    var status: JSONObject?
}

/// What the daemon knows about a volume, in memory.
struct VolumeRecord: Sendable {
    let definition: VolumeDefinition
    var references = References()
    /// The kernel's view of the mount when it was last looked at; nil while it is not mounted.
    var mount: MountTableEntry?
    /// When and why it could not be mounted the last time; nil once it has been.
    var lastFailure: MountFailure?
    /// Why nothing may be done with the mount point now.
    var busy: String?
    /// Made after each change by ``render(at:holderNames:)``, because volumes are looked at far more often than they change.
    private(set) var shown: VolumeView

    init(_ definition: VolumeDefinition) {
        self.definition = definition
        shown = VolumeView(name: definition.name.text)
    }

    var isMounted: Bool { mount != nil }

    /// Notes that the kernel has mounted the volume.
    mutating func mounted(_ entry: MountTableEntry) {
        mount = entry
        lastFailure = nil
    }

    /// Whether nothing on this host uses the volume or works on its mount point.
    var isFree: Bool { mount == nil && references.isEmpty && busy == nil }

    /// - Parameters:
    ///   - place: the mount point.
    ///   - holderNames: names for people by the ID of a reference, as far as they are known.
    mutating func render(at place: String, holderNames: [String: String]) {
        shown = VolumeView(
            name: definition.name.text, mountpoint: isMounted ? place : "", createdAt: definition.createdAt,
            status: VolumeStatus(record: self, holderNames: holderNames).json)
    }
}

/// What `docker volume inspect` shows under Status, and `docker-nfsd status` too.
struct VolumeStatus {
    var state: String
    var source: String
    var requested: [String: String]
    var effective: [String]
    var fileSystem: String?
    /// What the mount table says about the connection, by name.
    var connection: [String: String]
    var references: [(id: String, count: Int, container: String?)]
    var lastFailure: MountFailure?
    var share: String?

    init(record: VolumeRecord, holderNames: [String: String]) {
        let options = record.definition.options
        state = record.busy ?? (record.isMounted ? "mounted" : "not mounted")
        source = options.source.text + (options.subdirectory.map { "/\($0.path)" } ?? "")
        requested = options.canonical
        // The superblock's word on ro is not this mount's.
        effective = (record.mount?.options ?? []) + (record.mount?.superblockOptions ?? []).filter { $0 != "rw" && $0 != "ro" }
        fileSystem = record.mount?.fileSystem
        connection = record.mount.map(options.source.kind.connection) ?? [:]
        references = record.references.holders.sorted { $0.key < $1.key }.map { ($0.key, $0.value.count, holderNames[$0.key]) }
        lastFailure = record.lastFailure
        share = record.definition.share?.text
    }

    var json: JSONObject {
        var object: JSONObject = [
            "state": .string(state), "source": .string(source), "requested": .object(JSONObject(requested)),
            "effective": .string(effective.joined(separator: ",")),
        ]
        if let share { object["share"] = .string(share) }
        if let fileSystem { object["fileSystem"] = .string(fileSystem) }
        for (name, value) in connection.sorted(by: { $0.key < $1.key }) { object[name] = .string(value) }
        object["references"] = JSONValue(references.reduce(0) { $0 + $1.count })
        object["heldBy"] = .array(
            references.map { reference in
                var holder: JSONObject = ["id": .string(reference.id), "count": JSONValue(reference.count)]
                if let container = reference.container { holder["container"] = .string(container) }
                return .object(holder)
            })
        if let lastFailure {
            object["lastFailure"] = .string(lastFailure.text)
            object["lastFailureCode"] = .string(lastFailure.code.description)
        }
        return object
    }
}
