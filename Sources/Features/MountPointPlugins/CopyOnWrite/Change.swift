// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import SystemPackage

/// A difference between what the container sees and the source.
struct Change: Sendable, Equatable {
    enum What: String, Sendable {
        case added, removed, modified, renamed
        /// Owner, mode, or extended attributes.
        case attributes
    }

    var what: What
    var path: EntryPath
    var kind: EntryStatus.Kind
    /// Bytes, of a file that there is now.
    var size: UInt64?
    /// Where it was, if it was renamed.
    var from: EntryPath?

    /// As git-diff(1) has them.
    var letter: String {
        switch what {
        case .added: "A"
        case .removed: "D"
        case .modified: "M"
        case .renamed: "R"
        case .attributes: "P"
        }
    }

    private var suffix: String { kind == .folder ? "/" : "" }

    /// A line without its end.
    var text: String {
        "\(letter) \(from.map { "\($0.text)\(suffix) -> " } ?? "")\(path.text)\(suffix)"
    }

    var json: JSONValue {
        var object: JSONObject = ["change": .string(what.rawValue), "path": .string(path.text), "kind": .string("\(kind)")]
        if let size { object["size"] = JSONValue(size) }
        if let from { object["from"] = .string(from.text) }
        // A path that is no text cannot be given back by it.
        if !path.bytes.elementsEqual(path.text.utf8) { object["pathBytes"] = .array(path.bytes.map { JSONValue($0) }) }
        return .object(object)
    }
}

extension LayerFolder {
    /// All differences, by path.
    func changes() throws(SystemError) -> [Change] {
        var changes: [Change] = []
        /// With where they were in the source.
        var removals: [(change: Change, base: EntryPath?)] = []
        var origins: Set<EntryPath> = []
        try visit { (parent, entry) throws(SystemError) in
            switch entry {
            case .removal(let name, let status), .hidden(let name, let status):
                let change = Change(what: .removed, path: parent.path.appending(name), kind: status.kind)
                removals.append((change, parent.basePath?.appending(name)))
            case .folder(let folder):
                if let origin = folder.origin { origins.insert(origin) }
                if let change = try Self.change(of: folder) { changes.append(change) }
            case .file(let name, let status):
                if let change = try Self.change(of: name, status, in: parent) { changes.append(change) }
            }
        }
        changes += removals.filter { removal in !(removal.base.map(origins.contains) ?? false) }.map(\.change)
        return changes.sorted { $0.path < $1.path }
    }

    private static func change(of folder: LayerFolder) throws(SystemError) -> Change? {
        if let origin = folder.origin { return Change(what: .renamed, path: folder.path, kind: .folder, from: origin) }
        guard let base = folder.base ?? folder.hidden else { return Change(what: .added, path: folder.path, kind: .folder) }
        let isSame = try EntryAttributes(of: nil, in: folder.upper).isSame(as: EntryAttributes(of: nil, in: base))
        return isSame ? nil : Change(what: .attributes, path: folder.path, kind: .folder)
    }

    private static func change(of name: EntryName, _ status: EntryStatus, in folder: LayerFolder) throws(SystemError) -> Change? {
        let size = status.kind == .file ? status.size : nil
        let path = folder.path.appending(name)
        guard let base = folder.base ?? folder.hidden, let old = try base.statusIfThere(of: name) else {
            return Change(what: .added, path: path, kind: status.kind, size: size)
        }
        let isSame =
            switch status.kind {
            case _ where status.kind != old.kind: false
            case .file: status.size == old.size ? try haveSameData(name, in: folder.upper, as: name, in: base) : false
            case .link: try folder.upper.target(ofLink: name) == base.target(ofLink: name)
            default: status.node == old.node
            }
        if !isSame { return Change(what: .modified, path: path, kind: status.kind, size: size) }
        let attributes = try EntryAttributes(of: name, in: folder.upper)
        if try attributes.isSame(as: EntryAttributes(of: name, in: base)), status.modification == old.modification { return nil }
        return Change(what: .attributes, path: path, kind: status.kind, size: size)
    }
}
