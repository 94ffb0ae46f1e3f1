// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

extension MountPoint {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(type: try object.word("Type"), source: try object.text("Source"), destination: try object.text("Destination"))
        effectiveSource = try object.text("EffectiveSource")
        effectiveConsistency = try object.word("EffectiveConsistency")
        readOnly = try object.flag("ReadOnly")
        mode = try object.text("Mode")
        propagation = try object.word("Propagation")
        createSourceIfMissing = try object.flag("CreateSourceIfMissing")
        consistency = try object.word("Consistency")
        appliedMiddleware = try object.list("AppliedMiddleware", of: AppliedMiddleware.init)
        origin = try object.texts("Origin")
        volume = try Volume(object.object("Volume"))
        container = try ContainerDescription(object.object("Container"))
        image = try Image(object.object("Image"))
    }

    /// Writes the members that Go's library always sends, too, because a plugin may index them: `Volume`, `Container`, `Image` and
    /// `AppliedMiddleware`.
    ///
    /// - Parameters:
    ///   - flatVolume: whether to write the volume's members a second time, where the interface's first draft has them.
    ///   - shared: the container and image of the mount before, which most likely are this one's as well.
    func write(to writer: inout JSONWriter, flatVolume: Bool, shared: inout SharedMembers) {
        writer.beginObject()
        writer.key("EffectiveSource")
        writer.write(effectiveSource)
        writer.writeIfPresent("EffectiveConsistency", effectiveConsistency)
        writer.key("Volume")
        writer.beginObject()
        volume.writeMembers(to: &writer)
        writer.endObject()
        if flatVolume { volume.writeMembers(to: &writer) }
        writer.key("Container")
        writer.write(encoded: shared.container.bytes(of: container) { $0.write(to: &$1) })
        writer.key("Image")
        writer.write(encoded: shared.image.bytes(of: image) { $0.write(to: &$1) })
        writer.key("Source")
        writer.write(source)
        writer.key("Destination")
        writer.write(destination)
        writer.writeIfTrue("ReadOnly", readOnly)
        writer.writeIfPresent("Type", type)
        writer.writeIfPresent("Mode", mode)
        writer.writeIfPresent("Propagation", propagation)
        writer.writeIfTrue("CreateSourceIfMissing", createSourceIfMissing)
        writer.write("AppliedMiddleware", appliedMiddleware) { $0.write(to: &$1) }
        writer.writeIfPresent("Consistency", consistency)
        writer.write("Origin", origin) { $1.write($0) }
        writer.endObject()
    }

    /// What the mounts of a container have in common, encoded once: a container may have tens of thousands of labels.
    struct SharedMembers {
        struct Last<Value: Equatable> {
            private var value: Value?
            private var bytes: [UInt8] = []

            init() {}

            mutating func bytes(of value: Value, _ write: (Value, inout JSONWriter) -> Void) -> [UInt8] {
                if self.value == value { return bytes }
                var writer = JSONWriter()
                write(value, &writer)
                self.value = value
                bytes = writer.bytes
                return bytes
            }
        }

        var container = Last<ContainerDescription>()
        var image = Last<Image>()
    }
}

extension MountPoint.Image {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(labels: try object.map("Labels"), name: try object.text("Name"), id: try object.text("ID"))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        labels.write("Labels", to: &writer)
        writer.writeIfPresent("Name", name)
        writer.writeIfPresent("ID", id)
        writer.endObject()
    }
}

extension MountPoint.Volume {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            name: try object.text("Name"), driver: try object.text("Driver"), id: try object.text("ID"), labels: try object.map("Labels"),
            driverOptions: try object.map("DriverOptions"), scope: try object.word("Scope"), options: try object.map("Options"))
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.writeIfPresent("Name", name)
        writer.writeIfPresent("Driver", driver)
        writer.writeIfPresent("ID", id)
        labels.write("Labels", to: &writer)
        driverOptions.write("DriverOptions", to: &writer)
        writer.writeIfPresent("Scope", scope)
        options.write("Options", to: &writer)
    }
}

extension MountPointChanges {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            effectiveSource: try object.text("EffectiveSource"), effectiveConsistency: try object.word("EffectiveConsistency"),
            readOnly: try object.flag("ReadOnly"),
            options: try object.words("Options"), propagation: try object.word("Propagation"))
    }

    /// Leaves out changes that change nothing.
    func write(_ key: String, to writer: inout JSONWriter) {
        writer.key(key)
        writer.beginObject()
        writer.writeIfPresent("EffectiveSource", effectiveSource)
        writer.writeIfPresent("EffectiveConsistency", effectiveConsistency)
        writer.writeIfTrue("ReadOnly", readOnly)
        writer.writeIfNotEmpty("Options", options) { $1.write($0.rawValue) }
        writer.writeIfPresent("Propagation", propagation)
        writer.endObject()
    }
}

extension AppliedMiddleware {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(name: try object.text("Name"), changes: try MountPointChanges(object.object("Changes")))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("Name")
        writer.write(name)
        changes.write("Changes", to: &writer)
        writer.endObject()
    }
}
