// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
public import JSON

extension AppliedStack {
    /// Of the records that this version reads and writes.
    public static let version = 1

    /// Reads a record: `{"version":1,"plugins":[{"name","state","wantsMounted","mounts":[…]}]}`, and what may be missing: `stopped`,
    /// `hasFailed`, `reason` and `exitStatus` beside `plugins`, `detachTimeout` and `persistent` of a plugin.
    ///
    /// - Throws: `RecordFailure` if anything is missing, of another type or of another version. A record is ours, so what looks
    ///   wrong in it is damage, and guessing would call plugins that were not asked.
    public init(parsing bytes: Span<UInt8>) throws(RecordFailure) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw RecordFailure("the record of mount point plugins is not valid JSON: \(error)")
        }
        try self.init(value)
    }

    /// Reads a record that is part of a document; see ``init(parsing:)``.
    public init(_ value: JSONValue) throws(RecordFailure) {
        let object = try Member(value, "the record of mount point plugins")
        let version = try object.member("version")
        guard version.value.intValue == Self.version else {
            throw RecordFailure("\(version.place) must be \(Self.version), not \(version.value)")
        }
        plugins = try object.list("plugins") { (plugin) throws(RecordFailure) in
            let state = try plugin.text("state")
            guard let knownState = AppliedPlugin.State(rawValue: state) else {
                throw RecordFailure("\(plugin.place).state must not be \(JSONValue.string(state))")
            }
            return AppliedPlugin(
                name: try plugin.text("name"), state: knownState, wantsMounted: try plugin.flag("wantsMounted"),
                detachTimeout: try plugin.has("detachTimeout") ? plugin.seconds("detachTimeout") : nil,
                persistent: try plugin.has("persistent") ? plugin.flag("persistent") : false,
                mounts: try plugin.list("mounts") { (mount) throws(RecordFailure) in
                    AppliedMount(
                        destination: try mount.text("destination"), effectiveSource: try mount.text("effectiveSource"),
                        emergencyDetach: try mount.emergencyActions("emergencyDetach"), source: try mount.textIfThere("source"))
                }, since: try plugin.textIfThere("since"))
        }
        stopped = object.has("stopped") ? try object.text("stopped") : nil
        hasFailed = object.has("hasFailed") ? try object.flag("hasFailed") : false
        if object.has("reason") {
            ending = ContainerEnding(
                DetachReason(rawValue: try object.text("reason")),
                exitStatus: object.has("exitStatus") ? try object.number("exitStatus") : nil)
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("version")
        writer.write(JSONValue(Self.version))
        if let stopped { writer.write("stopped", stopped) }
        if hasFailed {
            writer.key("hasFailed")
            writer.write(.bool(true))
        }
        if let ending {
            writer.write("reason", ending.reason.rawValue)
            if let status = ending.exitStatus {
                writer.key("exitStatus")
                writer.write(JSONValue(status))
            }
        }
        writer.key("plugins")
        writer.beginArray()
        for plugin in plugins { plugin.write(to: &writer) }
        writer.endArray()
        writer.endObject()
    }

    public func encoded() -> [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }
}

extension AppliedPlugin {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.write("name", name)
        writer.write("state", state.rawValue)
        if let since { writer.write("since", since) }
        writer.key("wantsMounted")
        writer.write(.bool(wantsMounted))
        if let seconds = detachTimeout.flatMap({ JSONNumber($0) }) {
            writer.key("detachTimeout")
            writer.write(.number(seconds))
        }
        if persistent {
            writer.key("persistent")
            writer.write(.bool(true))
        }
        writer.key("mounts")
        writer.beginArray()
        for mount in mounts {
            writer.beginObject()
            if let source = mount.source { writer.write("source", source) }
            writer.write("destination", mount.destination)
            writer.write("effectiveSource", mount.effectiveSource)
            writer.key("emergencyDetach")
            EmergencyAction.write(mount.emergencyDetach, to: &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ key: String, _ text: String) {
        self.key(key)
        write(text)
    }
}

/// A value of a record, and where it stands.
private struct Member {
    let value: JSONValue
    let place: String

    init(_ value: JSONValue, _ place: String) throws(RecordFailure) {
        self.value = value
        self.place = place
        if value.objectValue == nil { throw wrong("an object") }
    }

    private init(value: JSONValue, place: String) {
        self.value = value
        self.place = place
    }

    private func wrong(_ expected: String) -> RecordFailure {
        RecordFailure("\(place) must be \(expected), not \(value.kind)")
    }

    func member(_ key: String) throws(RecordFailure) -> Member {
        guard let member = value[key] else { throw RecordFailure("\(place) has no \(key)") }
        return Member(value: member, place: "\(place).\(key)")
    }

    func has(_ key: String) -> Bool { value[key] != nil }

    func seconds(_ key: String) throws(RecordFailure) -> Double {
        let member = try member(key)
        guard let seconds = member.value.doubleValue, seconds > 0, seconds.isFinite else { throw member.wrong("a number above 0") }
        return seconds
    }

    func number(_ key: String) throws(RecordFailure) -> Int32 {
        let member = try member(key)
        guard let number = member.value.intValue, let status = Int32(exactly: number) else { throw member.wrong("a whole number") }
        return status
    }

    func text(_ key: String) throws(RecordFailure) -> String {
        let member = try member(key)
        guard let text = member.value.stringValue else { throw member.wrong("a string") }
        return text
    }

    func textIfThere(_ key: String) throws(RecordFailure) -> String? { value[key] == nil ? nil : try text(key) }

    func flag(_ key: String) throws(RecordFailure) -> Bool {
        let member = try member(key)
        guard let flag = member.value.boolValue else { throw member.wrong("true or false") }
        return flag
    }

    func list<Element>(_ key: String, _ read: (Member) throws(RecordFailure) -> Element) throws(RecordFailure) -> [Element] {
        let member = try member(key)
        guard let values = member.value.arrayValue else { throw member.wrong("an array") }
        var list: [Element] = []
        for (index, value) in values.enumerated() { list.append(try read(Member(value, "\(member.place)[\(index)]"))) }
        return list
    }

    func emergencyActions(_ key: String) throws(RecordFailure) -> [EmergencyAction] {
        let member = try member(key)
        if member.value.isNull { throw member.wrong("an array") }
        do throws(ResponseError) {
            return try EmergencyAction.list(member.value)
        } catch {
            throw RecordFailure("\(place): \(error.message)")
        }
    }
}
