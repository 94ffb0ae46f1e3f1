// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// What the command line shows of changes, and does with them. It works beside the plugin, on what that has left.
public struct ChangesOfInstance: Sendable {
    private let sets: ChangeSets

    /// - Throws: `PluginError` if the instance's settings cannot be read.
    public init(_ instance: PluginInstance) throws(PluginError) {
        guard let kind = try InstanceSettings(of: CopyOnWriteKind.self, instance).kind as? CopyOnWriteKind else {
            throw PluginError("\(instance.name) is no copy-on-write")
        }
        sets = kind.sets
    }

    // MARK: Showing

    /// All changes, a line each; those that cannot be read come last, in the state `damaged`.
    public func list(json: Bool) -> String {
        var damaged: [(name: String, why: PluginError)] = []
        let all = sets.all { damaged.append((name: $0, why: $1)) }
        if json {
            let rows = damaged.map { ["name": .string($0.name), "state": "damaged", "reason": .string("\($0.why)")] as JSONValue }
            return "\(JSONValue.array(all.map(row) + rows))\n"
        }
        if all.isEmpty && damaged.isEmpty { return "there are no changes\n" }
        let lines = damaged.map { SanitizedText.withoutControls("\($0.name)  damaged: \($0.why)") + "\n" }
        return all.map { set in
            let record = set.record
            let who = record.containerName.isEmpty ? String(record.container.prefix(12)) : record.containerName
            let file = record.file.map { "/\($0)" } ?? ""
            let why = record.reason.isEmpty ? "" : ": \(record.reason)"
            return SanitizedText.withoutControls("\(set.name)  \(record.source)\(file)  \(who)  \(record.since)  \(state(of: set))\(why)")
                + "\n"
        }.joined() + lines.joined()
    }

    private func state(of set: ChangeSet) -> String {
        set.record.state == .attached && !sets.isInUse(set) ? "left" : set.record.state.rawValue
    }

    private func row(_ set: ChangeSet) -> JSONValue {
        var object: JSONObject = ["name": .string(set.name), "layer": .string(set.upper.string)]
        for member in set.record.json.objectValue?.members ?? [] where !member.key.hasSameBytes(as: "version") {
            object[member.key] = member.value
        }
        object["state"] = .string(state(of: set))
        return .object(object)
    }

    public enum DiffForm: Sendable { case text, json, patch }

    /// What changes are, or those below some paths.
    public func diff(_ name: String, _ paths: [String], _ form: DiffForm) throws(PluginError) -> [UInt8] {
        let set = try sets.find(name)
        let selection = try Self.selection(paths)
        return try Self.saying { () throws(CommitError) in
            let layer = try Self.layer(of: set)
            let changes = try ChangeSets.failing { () throws(SystemError) in try layer.changes().filter { selection.covers($0.path) } }
            switch form {
            case .text: return Array(changes.map { SanitizedText.withoutControls($0.text) + "\n" }.joined().utf8)
            case .json:
                let report: JSONValue = ["version": 1, "name": .string(set.name), "changes": .array(changes.map(\.json))]
                return Array("\(report)\n".utf8)
            case .patch: return try ChangeSets.failing { () throws(SystemError) in try layer.patch(of: changes) }
            }
        }
    }

    // MARK: Deciding

    /// - Parameter conflict: a word, as the option `conflict` takes it.
    public func commit(_ name: String, _ paths: [String], conflict: String) throws(PluginError) {
        guard let rule = ConflictRule(rawValue: conflict) else {
            throw PluginError("\(conflict) is not known; there are \(ConflictRule.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        var set = try free(name)
        let selection = try Self.selection(paths)
        try Self.saying { () throws(CommitError) in try sets.commit(&set, selection, conflict: rule) }
    }

    public func discard(_ name: String) throws(PluginError) {
        let set = try free(name)
        // If the source is gone, so is what was put aside in it.
        let isBegun = set.record.state == .stopped || set.record.state == .committing
        if isBegun && (try? set.openSource()) != nil {
            throw PluginError(
                "a commit of \(set.name) has begun, and some of the source may be in its folder .copy-on-write.\(set.name); commit it, and change the source then"
            )
        }
        try Self.saying { () throws(CommitError) in try sets.remove(set) }
    }

    /// Copies what was added or changed to a folder that is made.
    public func export(_ name: String, to folder: String) throws(PluginError) {
        let set = try sets.find(name)
        try Self.saying { () throws(CommitError) in
            let layer = try Self.layer(of: set)
            try ChangeSets.failing { () throws(SystemError) in try layer.export(to: folder) }
        }
    }

    private func free(_ name: String) throws(PluginError) -> ChangeSet {
        let set = try sets.find(name)
        if sets.isInUse(set) { throw PluginError("the container \(set.record.containerName) still runs on \(set.name); stop it first") }
        if set.record.state == .attached {
            throw PluginError("the plugin has not taken \(set.name) off yet; start it, which does so, and try again")
        }
        return set
    }

    private static func layer(of set: ChangeSet) throws(CommitError) -> LayerFolder {
        let source: OpenFolder
        do throws(PluginError) { source = try set.openSource() } catch { throw CommitError(error.message) }
        return try ChangeSets.failing { () throws(SystemError) in LayerFolder(upper: try OpenFolder(at: set.upper), over: source) }
    }

    private static func selection(_ paths: [String]) throws(PluginError) -> PathSelection {
        if paths.isEmpty { return .all }
        var list: [EntryPath] = []
        for text in paths {
            guard let path = EntryPath(text), text.utf8.first != UInt8(ascii: "/") else {
                throw PluginError("\(text): give paths below the source, as diff shows them")
            }
            list.append(path)
        }
        return PathSelection(list)
    }

    private static func saying<Value>(_ body: () throws(CommitError) -> Value) throws(PluginError) -> Value {
        do throws(CommitError) { return try body() } catch { throw PluginError("\(error)") }
    }
}

extension LayerFolder {
    /// Bytes of a file that is compared line by line.
    private static let longest = 4 << 20

    /// As git-apply(1) reads it; what is no text is only named.
    func patch(of changes: [Change]) throws(SystemError) -> [UInt8] {
        var text: [UInt8] = []
        for change in changes {
            let (old, new) = (try source(of: change), try layer(of: change))
            let path = change.path.bytes
            func line(_ parts: [UInt8]...) { text += parts.joined() + [UInt8(ascii: "\n")] }
            let (slash, none) = (Array("/".utf8), Array("/dev/null".utf8))
            guard change.kind == .file, change.what != .attributes, let patch = TextPatch(from: old?.text ?? [], to: new?.text ?? []) else {
                line(Array("# ".utf8), Array(SanitizedText.withoutControls(change.text).utf8))
                continue
            }
            line(Array("diff --git a/".utf8), path, Array(" b/".utf8), path)
            if let new, old == nil { line(Array("new file mode \(new.mode)".utf8)) }
            if let old, new == nil { line(Array("deleted file mode \(old.mode)".utf8)) }
            if patch.lines.isEmpty { continue }
            line(Array("--- ".utf8), old == nil ? none : Array("a".utf8) + slash + path)
            line(Array("+++ ".utf8), new == nil ? none : Array("b".utf8) + slash + path)
            text += patch.lines.joined()
        }
        return text
    }

    private struct TextFile {
        /// With a zero in it if it is too long, as if it were no text.
        let text: [UInt8]
        /// As git has it.
        let mode: String

        init(_ name: EntryName, _ status: EntryStatus, in folder: OpenFolder) throws(SystemError) {
            text = status.size > LayerFolder.longest ? [0] : try fileData(name, in: folder, limit: LayerFolder.longest)
            mode = status.mode & 0o111 == 0 ? "100644" : "100755"
        }
    }

    private func source(of change: Change) throws(SystemError) -> TextFile? {
        guard change.what != .added, change.kind == .file, let (folder, name) = change.path.parted else { return nil }
        var layer = self
        for name in folder.names {
            guard try layer.upper.folderIfThere(name) != nil else { return nil }
            layer = try layer.child(name)
        }
        guard let base = layer.base ?? layer.hidden, let status = try base.statusIfThere(of: name), status.kind == .file else { return nil }
        return try TextFile(name, status, in: base)
    }

    private func layer(of change: Change) throws(SystemError) -> TextFile? {
        guard change.what != .removed, change.kind == .file, let (folder, name) = change.path.parted else { return nil }
        let upper = try upper.folder(at: folder)
        return try TextFile(name, upper.status(of: name), in: upper)
    }
}
