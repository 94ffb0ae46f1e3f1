// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
public import JSON

/// A mount in which a plugin takes part, as its file has it.
public struct KeptMount: Sendable, Equatable {
    public var destination: String
    /// Where it came from before this plugin.
    public var source: String
    /// Where it comes from with this plugin.
    public var effectiveSource: String
    public var options: String
    /// Who has chosen it, in words.
    public var choice: String
    /// Its own, see ``ChosenMount/folder``.
    public var folder: String
    /// See ``MountPlan/record``.
    public var record: JSONValue

    init(_ chosen: ChosenMount, _ plan: MountPlan) {
        destination = chosen.mount.destination
        source = chosen.mount.effectiveSource
        effectiveSource = plan.changes.effectiveSource.isEmpty ? source : plan.changes.effectiveSource
        options = chosen.options
        choice = chosen.choice
        folder = chosen.folder
        record = plan.record
    }

    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        destination = try object.text("destination")
        source = try object.text("source")
        effectiveSource = try object.text("effectiveSource")
        options = try object.text("options")
        choice = try object.text("choice")
        folder = try object.text("folder")
        record = object.members["record"] ?? .null
    }

    var json: JSONValue {
        [
            "destination": .string(destination), "source": .string(source), "effectiveSource": .string(effectiveSource),
            "options": .string(options), "choice": .string(choice), "folder": .string(folder), "record": record,
        ]
    }
}

/// A container in whose mounts a plugin takes part.
struct KeptContainer: Sendable, Equatable {
    var id: String
    var name: String
    var image: String
    /// When the plugin was asked, as RFC 3339 has it.
    var since: String
    /// The boot in which that was.
    var boot: String
    var mounts: [KeptMount]

    init(id: String, name: String, image: String, since: String, boot: String, mounts: [KeptMount]) {
        self.id = id
        self.name = name
        self.image = image
        self.since = since
        self.boot = boot
        self.mounts = mounts
    }

    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        id = try object.requiredText("id")
        name = try object.text("name")
        image = try object.text("image")
        since = try object.text("since")
        boot = try object.text("boot")
        mounts = try object.list("mounts", of: KeptMount.init)
    }

    var json: JSONValue {
        [
            "version": 1, "id": .string(id), "name": .string(name), "image": .string(image), "since": .string(since),
            "boot": .string(boot), "mounts": .array(mounts.map(\.json)),
        ]
    }
}
