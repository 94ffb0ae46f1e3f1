// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON
package import KernelMount
import LinuxSystem

/// A volume as it was created; what the state directory keeps, one file a volume.
public struct VolumeDefinition: Sendable, Equatable {
    public let name: VolumeName
    /// The caller's name for whom the volume was created; it is listed only for that one. A driver's name, for Docker.
    public let owner: String
    /// RFC 3339, UTC.
    public let createdAt: String
    /// With the share's server and path, for a volume of a share.
    public let options: VolumeOptions
    /// The share whose catalogue this was learned from; nil for a volume of this host.
    public let share: Share?
    /// Whether the options are another host's words, and not those of a caller of this host: what protects this host in its settings holds
    /// over them.
    package let isForeign: Bool

    /// Version of the file format.
    private static let format = 1

    public init(name: VolumeName, owner: String, createdAt: String, options: VolumeOptions, share: Share? = nil) {
        self.init(name: name, owner: owner, createdAt: createdAt, options: options, share: share, isForeign: false)
    }

    package init(name: VolumeName, owner: String, createdAt: String, options: VolumeOptions, share: Share?, isForeign: Bool) {
        self.share = share
        self.isForeign = isForeign
        self.name = name
        self.owner = owner
        self.createdAt = createdAt
        self.options = isForeign ? options.writtenByOthers() : options
    }

    /// Whether both say the same, whoever has written them.
    public static func == (left: Self, right: Self) -> Bool {
        left.name == right.name && left.owner == right.owner && left.createdAt == right.createdAt && left.options == right.options
            && left.share == right.share
    }

    /// In what this differs from another definition of the volume, in words; nil if both mean the same.
    ///
    /// - Throws: `StorageError` if they are of different owners.
    package func difference(from wanted: VolumeDefinition, _ words: CallerWords) throws(StorageError) -> String? {
        guard owner == wanted.owner else {
            throw StorageError(
                .conflict, "volume \(name) exists under the \(words.owner) \(owner); use that name, or remove it there first")
        }
        let differing = wanted.options.differences(from: options)
        if differing.isEmpty { return nil }
        return differing.map {
            "\($0)=\(options.canonical[$0] ?? "(not set)") instead of \(wanted.options.canonical[$0] ?? "(not set)")"
        }.joined(separator: ", ")
    }

    /// The same volume with some options changed, by name; an empty value takes an option away.
    ///
    /// - Throws: `StorageError` (`bad-option`), as for options that are given at once.
    func changed(by changes: [String: String]) throws(StorageError) -> VolumeDefinition {
        var given = givenOptions
        for (option, value) in changes { given[option] = value.isEmpty ? nil : value }
        let kind = options.source.kind
        if share != nil, kind.namesServer(given) { throw StorageError(.badOption, "a volume of a share names no server") }
        let checked: VolumeOptions
        if let share { checked = try share.options(given, of: name, kind: kind) } else { checked = try VolumeOptions(given, kind: kind) }
        // Most of a definition that others wrote is still theirs.
        let new = VolumeDefinition(name: name, owner: owner, createdAt: createdAt, options: checked, share: share, isForeign: isForeign)
        try new.options.source.validate(for: .volume)
        return new
    }

    /// In one spelling, without those that name the share.
    private var givenOptions: [String: String] {
        share.map { share in options.canonical.filter { share.options[$0.key] == nil } } ?? options.canonical
    }

    /// Whether archiving or deleting this volume's directory would touch another volume: its directory is this one, or inside it, or
    /// around it. A volume of a whole export does not count as around.
    package func disposalTouches(_ other: VolumeDefinition) -> Bool {
        let (source, theirSource) = (options.source, other.options.source)
        guard
            theirSource.serverKey.hasSameBytes(as: source.serverKey) || theirSource.location.server.hasSameBytes(as: source.location.server)
        else { return false }
        let (own, theirs) = (directory, other.directory)
        return theirs.hasBytePrefix(own) || (other.options.subdirectory != nil && own.hasBytePrefix(theirs))
    }

    /// The names of the path on the server.
    private var directory: [String] { options.source.location.components + (options.subdirectory?.components ?? []) }

    /// Reads a definition file.
    ///
    /// - Parameter catalogue: the share in whose catalogue the file is, where other hosts write too; nil for a file of this host.
    /// - Throws: `StorageError` with what is wrong in it.
    package init(parsing bytes: [UInt8], kind: any FileSystemKind, in catalogue: Share? = nil) throws(StorageError) {
        let document: JSONValue
        do throws(JSONError) { document = try JSONValue(parsing: bytes) } catch { throw StorageError(.damaged, "\(error)") }
        // The reader's own words name a member; these say what it is for.
        guard let fields = try? JSONObjectReader(document), let format: Int = try? fields.numberIfPresent("format") else {
            throw StorageError(.damaged, "it has no format number")
        }
        guard format == Self.format else { throw StorageError(.damaged, "its format is \(format), and this version reads \(Self.format)") }
        guard let name = (try? fields.textIfPresent("name")).flatMap(VolumeName.init) else {
            throw StorageError(.damaged, "it has no valid name")
        }
        guard let owner = try? fields.textIfPresent("driver"), let createdAt = try? fields.textIfPresent("createdAt"),
            let given = try? fields.objectIfPresent("options")
        else { throw StorageError(.damaged, "driver, createdAt or options are missing") }
        var options: [String: String] = [:]
        for member in given.members.members {
            guard let value = member.value.stringValue else { throw StorageError(.damaged, "option \(member.key) is not a text") }
            if catalogue != nil, value.utf8.count > VolumeOptions.longestValue {
                throw StorageError(.damaged, "option \(member.key) is longer than \(VolumeOptions.longestValue) bytes")
            }
            options[member.key] = value
        }
        do throws(StorageError) {
            var share = catalogue
            if share == nil, fields.members["share"] != nil { share = try Share((try? fields.textIfPresent("share")) ?? "", kind: kind) }
            if share != nil, kind.namesServer(options) { throw StorageError(.badOption, "a volume of a share names no server") }
            let checked: VolumeOptions
            if let share {
                checked = try share.options(options, of: name, kind: kind)
            } else {
                checked = try VolumeOptions(options, kind: kind)
            }
            // A copy of an earlier version does not say who wrote it.
            let isForeign = share != nil && (catalogue != nil || (try? fields.flagIfPresent("createdHere")) != true)
            self.init(name: name, owner: owner, createdAt: createdAt, options: checked, share: share, isForeign: isForeign)
        } catch {
            throw StorageError(.damaged, "\(error)")
        }
    }

    /// What this host keeps.
    public var json: JSONValue {
        guard let share else { return .object(object) }
        var object = object
        object["share"] = .string(share.text)
        if !isForeign { object["createdHere"] = true }
        return .object(object)
    }

    /// What a share's catalogue keeps: nothing of how the share is reached, which is each host's setting.
    package var catalogueJSON: JSONValue { .object(object) }

    private var object: JSONObject {
        [
            "format": JSONValue(Self.format), "name": .string(name.text), "driver": .string(owner), "createdAt": .string(createdAt),
            "options": .object(JSONObject(givenOptions)),
        ]
    }
}

extension JSONObject {
    /// Texts by key, sorted, so that equal content gives equal bytes.
    package init(_ texts: [String: String]) {
        self.init()
        for (key, value) in texts.sorted(by: { $0.key < $1.key }) { self[key] = .string(value) }
    }
}
