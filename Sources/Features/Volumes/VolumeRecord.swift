// SPDX-License-Identifier: AGPL-3.0-or-later

package import JSON
import KernelMount
package import LinuxSystem

/// A volume as those who ask for it see it.
package struct VolumeView: Sendable, Equatable {
    package var name: String
    /// An absolute path, or empty while the volume is not mounted.
    package var mountpoint = ""
    /// RFC 3339, UTC.
    package var createdAt: String?
    /// What ``VolumeStatus`` gives.
    package var status: JSONObject?
}

/// What the daemon knows about a volume, in memory.
package struct VolumeRecord: Sendable {
    package let definition: VolumeDefinition
    package var references = References()
    /// The kernel's view of the mount when it was last looked at; nil while it is not mounted.
    package var mount: MountTableEntry?
    /// When and why it could not be mounted the last time; nil once it has been.
    package var lastFailure: MountFailure?
    /// What does not work in the mount, and why.
    package var shortcomings: [String] = []
    /// Why nothing may be done with the mount point now.
    var busy: String?
    /// What ``view(at:holderNames:_:)`` gave, kept until the next change: volumes are looked at far more often than they change.
    var shown: VolumeView?

    package init(_ definition: VolumeDefinition) { self.definition = definition }

    package var isMounted: Bool { mount != nil }

    /// Whether nothing may be done with the mount point now.
    package var isBusy: Bool { busy != nil }

    /// Notes that the kernel has mounted the volume.
    mutating func mounted(_ entry: MountTableEntry) {
        mount = entry
        lastFailure = nil
    }

    /// Whether nothing on this host uses the volume or works on its mount point.
    package var isFree: Bool { mount == nil && references.isEmpty && busy == nil }

    /// What is shown of the volume.
    ///
    /// - Parameters:
    ///   - place: the mount point.
    ///   - holderNames: names for people by the ID of a reference, as far as they are known.
    func view(at place: String, holderNames: [String: String], _ words: CallerWords) -> VolumeView {
        VolumeView(
            name: definition.name.text, mountpoint: isMounted ? place : "", createdAt: definition.createdAt,
            status: VolumeStatus(record: self, holderNames: holderNames, words).json)
    }
}

/// How a volume is, for those who look at it.
package struct VolumeStatus: Sendable {
    package var state: String
    package var source: String
    package var requested: [String: String]
    package var effective: [String]
    package var fileSystem: String?
    /// What the mount table says about the connection, by name.
    package var connection: [String: String]
    /// With the holder's name, as far as that is known.
    package var references: [(id: String, count: Int, name: String?)]
    /// The IDs of those that have a mount which has been replaced since, because the server had lost what was mounted.
    package var outdated: Set<String>
    package var lastFailure: MountFailure?
    package var share: String?
    package var shortcomings: [String]
    /// In what the mount differs from the volume's definition.
    package var drift: [String]
    /// What is known of its server, its traffic and its room; not part of ``json``, because it changes by itself.
    package var health = VolumeHealth()
    private let holderKey: String

    package init(record: VolumeRecord, holderNames: [String: String], _ words: CallerWords) {
        let options = record.definition.options
        state = record.busy ?? (record.isMounted ? "mounted" : "not mounted")
        source = options.source.text + (options.subdirectory.map { "/\($0.path)" } ?? "")
        requested = options.canonical
        // The superblock's word on ro is not this mount's.
        effective = (record.mount?.options ?? []) + (record.mount?.superblockOptions ?? []).filter { $0 != "rw" && $0 != "ro" }
        fileSystem = record.mount?.fileSystem
        connection = record.mount.map(options.source.kind.connection) ?? [:]
        references = record.references.holders.sorted { $0.key < $1.key }.map { ($0.key, $0.value.count, holderNames[$0.key]) }
        outdated = Set(record.references.holders.filter(\.value.isOutdated).keys)
        lastFailure = record.lastFailure
        holderKey = words.holder
        share = record.definition.share?.text
        shortcomings = record.mount == nil ? [] : record.shortcomings
        drift = record.mount.map(options.source.drift) ?? []
    }

    package var json: JSONObject {
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
                if let name = reference.name { holder[holderKey] = .string(name) }
                if outdated.contains(reference.id) { holder["outdated"] = true }
                return .object(holder)
            })
        if !shortcomings.isEmpty { object["warnings"] = .array(shortcomings.map(JSONValue.string)) }
        if let lastFailure {
            object["lastFailure"] = .string(lastFailure.text)
            object["lastFailureCode"] = .string(lastFailure.code.description)
        }
        if !drift.isEmpty { object["drift"] = .array(drift.map { .string($0) }) }
        return object
    }

    /// For a person, a line an item, each ending with a newline.
    ///
    /// - Parameter place: the mount point.
    package func text(at place: String) -> String {
        var items = [("source", source)]
        if let share { items.append(("share", share)) }
        items.append(("state", fileSystem == nil ? state : "\(state) at \(place)"))
        items.append(("requested", requested.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")))
        if fileSystem != nil {
            items.append(("effective", effective.joined(separator: ",")))
            if let address = connection["address"] { items.append(("server", address)) }
        }
        for shortcoming in shortcomings { items.append(("warning", shortcoming)) }
        items += drift.map { ("drift", $0) }
        items += health.lines.map { ($0.name, $0.value) }
        if let lastFailure { items.append(("failed", "\(lastFailure.text) (\(lastFailure.code))")) }
        for reference in references {
            let holder = reference.name.map { "\(holderKey) \($0)" } ?? "mount \(reference.id)"
            let times = reference.count > 1 ? ", \(reference.count) times" : ""
            let trouble = outdated.contains(reference.id) ? ", which has a stale mount: restart it" : ""
            items.append(("held by", "\(holder)\(times)\(trouble)"))
        }
        return items.map { name, value in
            "  " + name + String(repeating: " ", count: max(1, Self.columns - name.utf8.count)) + value + "\n"
        }.joined()
    }

    /// Of a line's name with the blanks behind it.
    private static let columns = 11
}
