// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
public import JSON

extension AppliedStack {
    /// Of the records that this version reads and writes.
    public static let version = 1

    /// Reads a record: `{"version":1,"plugins":[{"name","state","wantsMounted","mounts":[…]}]}`, and what may be missing: `stopped`,
    /// `hasFailed`, `reason` and `exitStatus` beside `plugins`, `detachTimeout` and `persistent` of a plugin.
    ///
    /// - Throws: `StackStoreError` if anything is missing, of another type or of another version. A record is ours, so what looks
    ///   wrong in it is damage, and guessing would call plugins that were not asked.
    public init(parsing bytes: Span<UInt8>) throws(StackStoreError) {
        do throws(JSONShapeError) {
            try self.init(try JSONObjectReader(parsing: bytes))
        } catch {
            let record = "the record of mount point plugins"
            throw StackStoreError(error.place.isEmpty ? error.message(about: record) : "\(record): \(error)", cause: error)
        }
    }

    /// Reads a record that is part of a document; see ``init(parsing:)``.
    public init(_ object: JSONObjectReader) throws(JSONShapeError) {
        let version: Int = try object.need("version", object.numberIfPresent)
        if version != Self.version { throw object.error("must be \(Self.version), not \(version)", at: "version") }
        plugins = try object.need("plugins") { (key) throws(JSONShapeError) in try object.listIfPresent(key, of: AppliedPlugin.init) }
        stopped = try object.textIfPresent("stopped")
        hasFailed = try object.flag("hasFailed")
        if let reason = try object.textIfPresent("reason") {
            ending = ContainerEnding(DetachReason(rawValue: reason), exitStatus: try object.numberIfPresent("exitStatus"))
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
    fileprivate init(_ object: JSONObjectReader) throws(JSONShapeError) {
        let name = try object.need("name", object.textIfPresent)
        let text = try object.need("state", object.textIfPresent)
        guard let state = State(rawValue: text) else { throw object.error("must not be \(JSONValue.string(text))", at: "state") }
        let detachTimeout = try object.secondsIfPresent("detachTimeout")
        if detachTimeout == 0 { throw object.error("must be a number above 0", at: "detachTimeout") }
        self.init(
            name: name, state: state, wantsMounted: try object.need("wantsMounted", object.flagIfPresent), detachTimeout: detachTimeout,
            persistent: try object.flag("persistent"),
            mounts: try object.need("mounts") { (key) throws(JSONShapeError) in try object.listIfPresent(key, of: AppliedMount.init) },
            since: try object.textIfPresent("since"))
    }

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

extension AppliedMount {
    fileprivate init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            destination: try object.need("destination", object.textIfPresent),
            effectiveSource: try object.need("effectiveSource", object.textIfPresent),
            emergencyDetach: try object.need("emergencyDetach") { (key) throws(JSONShapeError) in
                try EmergencyAction.listIfPresent(key, in: object)
            }, source: try object.textIfPresent("source"))
    }
}
