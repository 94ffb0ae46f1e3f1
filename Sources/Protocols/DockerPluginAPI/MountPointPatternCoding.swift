// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

extension StringPattern {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            not: try object.flag("Not"), empty: try object.flag("Empty"), prefix: try object.text("Prefix"),
            pathPrefix: try object.text("PathPrefix"), suffix: try object.text("Suffix"),
            pathContains: try object.text("PathContains"), exactly: try object.text("Exactly"), contains: try object.text("Contains"))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.writeIfTrue("Not", not)
        writer.writeIfTrue("Empty", empty)
        writer.writeIfPresent("Prefix", prefix)
        writer.writeIfPresent("PathPrefix", pathPrefix)
        writer.writeIfPresent("Suffix", suffix)
        writer.writeIfPresent("PathContains", pathContains)
        writer.writeIfPresent("Exactly", exactly)
        writer.writeIfPresent("Contains", contains)
        writer.endObject()
    }
}

extension StringMapPattern {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            not: try object.flag("Not"), exists: try object.list("Exists", of: Element.init),
            all: try object.list("All", of: Element.init))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.writeIfTrue("Not", not)
        writer.writeIfNotEmpty("Exists", exists) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("All", all) { $0.write(to: &$1) }
        writer.endObject()
    }
}

extension StringMapPattern.Element {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            key: try StringPattern(object.object("Key")), value: try StringPattern(object.object("Value")))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        for (name, pattern) in [("Key", key), ("Value", value)] where pattern != StringPattern() {
            writer.key(name)
            pattern.write(to: &writer)
        }
        writer.endObject()
    }
}

extension AppliedMiddlewarePattern {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init()
        if object.members.isEmpty { return }
        exists = try object.list("Exists", of: Element.init)
        notExists = try object.list("NotExists", of: Element.init)
        all = try object.list("All", of: Element.init)
        notAll = try object.list("NotAll", of: Element.init)
        anySequence = try object.list("AnySequence", of: Element.init)
        notAnySequence = try object.list("NotAnySequence", of: Element.init)
        topSequence = try object.list("TopSequence", of: Element.init)
        notTopSequence = try object.list("NotTopSequence", of: Element.init)
        bottomSequence = try object.list("BottomSequence", of: Element.init)
        notBottomSequence = try object.list("NotBottomSequence", of: Element.init)
        relativeOrder = try object.list("RelativeOrder", of: Element.init)
        notRelativeOrder = try object.list("NotRelativeOrder", of: Element.init)
    }

    func write(_ key: String, to writer: inout JSONWriter) {
        if self == Self() { return }
        writer.key(key)
        writer.beginObject()
        writer.writeIfNotEmpty("Exists", exists) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("NotExists", notExists) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("All", all) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("NotAll", notAll) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("AnySequence", anySequence) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("NotAnySequence", notAnySequence) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("TopSequence", topSequence) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("NotTopSequence", notTopSequence) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("BottomSequence", bottomSequence) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("NotBottomSequence", notBottomSequence) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("RelativeOrder", relativeOrder) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("NotRelativeOrder", notRelativeOrder) { $0.write(to: &$1) }
        writer.endObject()
    }
}

extension AppliedMiddlewarePattern.Element {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(name: try object.list("Name", of: StringPattern.init), changes: try Changes(object.object("Changes")))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.writeIfNotEmpty("Name", name) { $0.write(to: &$1) }
        if changes != Changes() {
            writer.key("Changes")
            writer.beginObject()
            writer.writeIfNotEmpty("EffectiveSource", changes.effectiveSource) { $0.write(to: &$1) }
            writer.writeIfGiven("EffectiveConsistency", changes.effectiveConsistency)
            writer.endObject()
        }
        writer.endObject()
    }
}

extension AppliedMiddlewarePattern.Element.Changes {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            effectiveSource: try object.list("EffectiveSource", of: StringPattern.init),
            effectiveConsistency: try object.wordIfPresent("EffectiveConsistency"))
    }
}

extension MountPointPattern.Volume {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init()
        name = try object.list("Name", of: StringPattern.init)
        driver = try object.list("Driver", of: StringPattern.init)
        id = try object.list("ID", of: StringPattern.init)
        labels = try object.list("Labels", of: StringMapPattern.init)
        driverOptions = try object.list("DriverOptions", of: StringMapPattern.init)
        scope = try object.wordIfPresent("Scope")
        options = try object.list("Options", of: StringMapPattern.init)
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.writeIfNotEmpty("Name", name) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("Driver", driver) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("ID", id) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("Labels", labels) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("DriverOptions", driverOptions) { $0.write(to: &$1) }
        writer.writeIfGiven("Scope", scope)
        writer.writeIfNotEmpty("Options", options) { $0.write(to: &$1) }
    }

    /// Asks for what either asks for.
    fileprivate mutating func add(_ other: Self, of pattern: JSONObjectReader) throws(JSONShapeError) {
        name += other.name
        driver += other.driver
        id += other.id
        labels += other.labels
        driverOptions += other.driverOptions
        options += other.options
        if let scope, let otherScope = other.scope, scope != otherScope {
            throw pattern.error("differs from Volume.Scope", at: "Scope")
        }
        scope = scope ?? other.scope
    }
}

extension MountPointPattern {
    /// - Parameter hasFlatVolume: set if the volume's members stand in the pattern itself, as in the interface's first draft.
    init(_ object: JSONObjectReader, hasFlatVolume: inout Bool) throws(JSONShapeError) {
        self.init()
        effectiveSource = try object.list("EffectiveSource", of: StringPattern.init)
        effectiveConsistency = try object.wordIfPresent("EffectiveConsistency")
        source = try object.list("Source", of: StringPattern.init)
        origin = try object.list("Origin", of: StringPattern.init)
        destination = try object.list("Destination", of: StringPattern.init)
        readOnly = try object.flagIfPresent("ReadOnly")
        type = try object.wordIfPresent("Type")
        mode = try object.list("Mode", of: StringPattern.init)
        propagation = try object.wordIfPresent("Propagation")
        createSourceIfMissing = try object.flagIfPresent("CreateSourceIfMissing")
        consistency = try object.wordIfPresent("Consistency")
        appliedMiddleware = try AppliedMiddlewarePattern(object.object("AppliedMiddleware"))
        volume = try Volume(object.object("Volume"))
        container = Container(labels: try Self.labels(object.object("Container")))
        image = Image(labels: try Self.labels(object.object("Image")))
        let flatVolume = try Volume(object)
        if flatVolume != Volume() {
            hasFlatVolume = true
            try volume.add(flatVolume, of: object)
        }
    }

    /// As JSON, for a person.
    public var text: String {
        var writer = JSONWriter()
        write(to: &writer, flatVolume: false)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func labels(_ object: JSONObjectReader) throws(JSONShapeError) -> [StringMapPattern] {
        try object.list("Labels", of: StringMapPattern.init)
    }

    func write(to writer: inout JSONWriter, flatVolume: Bool) {
        writer.beginObject()
        writer.writeIfNotEmpty("EffectiveSource", effectiveSource) { $0.write(to: &$1) }
        writer.writeIfGiven("EffectiveConsistency", effectiveConsistency)
        if flatVolume {
            volume.writeMembers(to: &writer)
        } else if volume != Volume() {
            writer.key("Volume")
            writer.beginObject()
            volume.writeMembers(to: &writer)
            writer.endObject()
        }
        Self.writeLabels("Container", container.labels, to: &writer)
        Self.writeLabels("Image", image.labels, to: &writer)
        writer.writeIfNotEmpty("Source", source) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("Destination", destination) { $0.write(to: &$1) }
        if let readOnly { writer.write("ReadOnly", readOnly) }
        writer.writeIfGiven("Type", type)
        writer.writeIfNotEmpty("Mode", mode) { $0.write(to: &$1) }
        writer.writeIfGiven("Propagation", propagation)
        if let createSourceIfMissing { writer.write("CreateSourceIfMissing", createSourceIfMissing) }
        appliedMiddleware.write("AppliedMiddleware", to: &writer)
        writer.writeIfGiven("Consistency", consistency)
        writer.writeIfNotEmpty("Origin", origin) { $0.write(to: &$1) }
        writer.endObject()
    }

    private static func writeLabels(_ key: String, _ labels: [StringMapPattern], to writer: inout JSONWriter) {
        if labels.isEmpty { return }
        writer.key(key)
        writer.beginObject()
        writer.writeIfNotEmpty("Labels", labels) { $0.write(to: &$1) }
        writer.endObject()
    }
}

extension JSONWriter {
    /// Writes a value that a pattern asks for; an empty one too, because it matches a mount that does not set the field.
    fileprivate mutating func writeIfGiven(_ key: String, _ word: (some MountPointWord)?) {
        guard let word else { return }
        self.key(key)
        write(word.rawValue)
    }
}
