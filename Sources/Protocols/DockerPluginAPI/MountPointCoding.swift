// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

extension JSONWriter {
    /// Writes a member, unless it is empty.
    mutating func writeIfSaid(_ key: String, _ text: String) {
        if text.isEmpty { return }
        self.key(key)
        write(text)
    }

    mutating func writeIfSaid(_ key: String, _ word: some MountPointWord) { writeIfSaid(key, word.rawValue) }

    mutating func writeIfTrue(_ key: String, _ flag: Bool) {
        if flag { write(key, flag) }
    }

    mutating func write(_ key: String, _ flag: Bool) {
        self.key(key)
        write(.bool(flag))
    }

    mutating func writeIfNotEmpty<Element>(_ key: String, _ list: [Element], _ writeElement: (Element, inout JSONWriter) -> Void) {
        if list.isEmpty { return }
        write(key, list, writeElement)
    }

    mutating func write<Element>(_ key: String, _ list: [Element], _ writeElement: (Element, inout JSONWriter) -> Void) {
        self.key(key)
        beginArray()
        for element in list { writeElement(element, &self) }
        endArray()
    }
}

extension MountPoint {
    init(_ object: MessageObject) throws(ShapeError) {
        self.init(type: try object.word("Type"), source: try object.text("Source"), destination: try object.text("Destination"))
        effectiveSource = try object.text("EffectiveSource")
        effectiveConsistency = try object.word("EffectiveConsistency")
        readOnly = try object.flag("ReadOnly")
        mode = try object.text("Mode")
        propagation = try object.word("Propagation")
        createSourceIfMissing = try object.flag("CreateSourceIfMissing")
        consistency = try object.word("Consistency")
        appliedMiddleware = try object.list("AppliedMiddleware", read: AppliedMiddleware.init)
        volume = try object.object("Volume", read: Volume.init)
        container = Container(labels: try object.object("Container") { (object) throws(ShapeError) in try object.map("Labels") })
        image = Image(labels: try object.object("Image") { (object) throws(ShapeError) in try object.map("Labels") })
    }

    /// - Parameter flatVolume: whether to write the volume's members a second time, where the interface's first draft has them.
    func write(to writer: inout JSONWriter, flatVolume: Bool) {
        writer.beginObject()
        writer.key("EffectiveSource")
        writer.write(effectiveSource)
        writer.writeIfSaid("EffectiveConsistency", effectiveConsistency)
        if volume != Volume() {
            writer.key("Volume")
            writer.beginObject()
            volume.writeMembers(to: &writer)
            writer.endObject()
            if flatVolume { volume.writeMembers(to: &writer) }
        }
        Self.writeLabels("Container", container.labels, to: &writer)
        Self.writeLabels("Image", image.labels, to: &writer)
        writer.key("Source")
        writer.write(source)
        writer.key("Destination")
        writer.write(destination)
        writer.writeIfTrue("ReadOnly", readOnly)
        writer.writeIfSaid("Type", type)
        writer.writeIfSaid("Mode", mode)
        writer.writeIfSaid("Propagation", propagation)
        writer.writeIfTrue("CreateSourceIfMissing", createSourceIfMissing)
        writer.writeIfNotEmpty("AppliedMiddleware", appliedMiddleware) { $0.write(to: &$1) }
        writer.writeIfSaid("Consistency", consistency)
        writer.endObject()
    }

    private static func writeLabels(_ key: String, _ labels: StringMap, to writer: inout JSONWriter) {
        if labels.isEmpty { return }
        writer.key(key)
        writer.beginObject()
        labels.write("Labels", to: &writer)
        writer.endObject()
    }
}

extension MountPoint.Volume {
    init(_ object: MessageObject) throws(ShapeError) {
        self.init(
            name: try object.text("Name"), driver: try object.text("Driver"), id: try object.text("ID"), labels: try object.map("Labels"),
            driverOptions: try object.map("DriverOptions"), scope: try object.word("Scope"), options: try object.map("Options"))
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.writeIfSaid("Name", name)
        writer.writeIfSaid("Driver", driver)
        writer.writeIfSaid("ID", id)
        labels.write("Labels", to: &writer)
        driverOptions.write("DriverOptions", to: &writer)
        writer.writeIfSaid("Scope", scope)
        options.write("Options", to: &writer)
    }
}

extension MountPointChanges {
    init(_ object: MessageObject) throws(ShapeError) {
        self.init(
            effectiveSource: try object.text("EffectiveSource"), effectiveConsistency: try object.word("EffectiveConsistency"))
    }

    /// Leaves out changes that change nothing.
    func write(_ key: String, to writer: inout JSONWriter) {
        if effectiveSource.isEmpty && effectiveConsistency.isUnspecified { return }
        writer.key(key)
        writer.beginObject()
        writer.writeIfSaid("EffectiveSource", effectiveSource)
        writer.writeIfSaid("EffectiveConsistency", effectiveConsistency)
        writer.endObject()
    }
}

extension AppliedMiddleware {
    init(_ object: MessageObject) throws(ShapeError) {
        self.init(name: try object.text("Name"), changes: try object.object("Changes", read: MountPointChanges.init))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("Name")
        writer.write(name)
        changes.write("Changes", to: &writer)
        writer.endObject()
    }
}
