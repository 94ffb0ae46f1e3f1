// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LexicalPaths

/// An entry of the setting `paths`: what paths with a prefix mean on this host.
struct TranslationRule: Sendable {
    enum Target: Sendable, Equatable {
        /// A folder or file of this host takes the prefix's place.
        case path(String)
        /// The whole path, as the running container of that name sees it.
        case containerNamed(String)
        /// The same of the one running container with that label; any value if there is none given.
        case containerLabelled(key: String, value: String?)
        /// The data of a volume of the `local` driver take the prefix's place.
        case volume(String)
    }

    /// An absolute path, cleaned.
    var prefix: String
    /// As the settings have it.
    var text: String
    var target: Target
    /// Whether upper and lower case are the same in the prefix and in all that follows it.
    var ignoresCase: Bool
    /// Whether a folder that is not there is made.
    var createsMissing: Bool
    /// Whether the empty folders that an engine has made for the untranslated path are removed.
    var removesCreated: Bool

    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        let prefix = try object.requiredText("prefix")
        guard prefix.utf8.first == UInt8(ascii: "/") else { throw object.error("must be an absolute path", at: "prefix") }
        self.prefix = LexicalPath.absolute(prefix)
        text = try object.requiredText("to")
        guard let target = Target(text) else {
            throw object.error("must be an absolute path, container:NAME, container:label=KEY[=VALUE] or volume:NAME", at: "to")
        }
        self.target = target
        ignoresCase = try Self.word("case", in: object, no: "sensitive", yes: "insensitive")
        createsMissing = try Self.word("missing", in: object, no: "deny", yes: "create")
        removesCreated = try object.flagIfPresent("remove-created") ?? true
        if ignoresCase || createsMissing, !target.isOnHost {
            throw object.error("is for targets that are paths or volumes", at: ignoresCase ? "case" : "missing")
        }
    }

    private static func word(_ key: String, in object: JSONObjectReader, no: String, yes: String) throws(JSONShapeError) -> Bool {
        switch try object.textIfPresent(key) {
        case nil, no: false
        case yes: true
        default: throw object.error("must be \(no) or \(yes)", at: key)
        }
    }

    /// The names of a path that follow the prefix; nil if it has another beginning.
    func rest(of path: String) -> [String]? {
        let (own, names) = (LexicalPath.components(of: prefix), LexicalPath.components(of: path))
        guard names.count >= own.count, zip(own, names).allSatisfy(isSame) else { return nil }
        return Array(names.dropFirst(own.count))
    }

    func isSame(_ one: String, _ other: String) -> Bool {
        one.utf8.elementsEqual(other.utf8) || ignoresCase && one.lowercased().utf8.elementsEqual(other.lowercased().utf8)
    }
}

extension TranslationRule.Target {
    init?(_ text: String) {
        let bytes = text.utf8
        if bytes.first == UInt8(ascii: "/") {
            self = .path(LexicalPath.absolute(text))
        } else if let label = Self.rest(of: text, after: "container:label=") {
            let parts = label.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = parts.first.flatMap(String.init), !key.isEmpty else { return nil }
            self = .containerLabelled(key: key, value: parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : nil)
        } else if let name = Self.rest(of: text, after: "container:") {
            self = .containerNamed(name)
        } else if let name = Self.rest(of: text, after: "volume:"), LexicalPath.isComponent(name) {
            self = .volume(name)
        } else {
            return nil
        }
    }

    private static func rest(of text: String, after prefix: String) -> String? {
        guard text.utf8.starts(with: prefix.utf8), text.utf8.count > prefix.utf8.count else { return nil }
        return String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }

    /// Whether it is found without a container.
    var isOnHost: Bool {
        switch self {
        case .path, .volume: true
        case .containerNamed, .containerLabelled: false
        }
    }
}

/// A path as other systems spell it.
enum ForeignPath {
    /// The path as this system would spell it, as Docker does: `C:\Users\me` becomes `/c/Users/me`, and `\\server\share` `/server/share`.
    ///
    /// - Returns: nil if it is no absolute path of any of them, or leads out of itself by `..`.
    static func absolute(_ text: String) -> String? {
        var bytes = Array(text.utf8)
        let isDrive = bytes.count >= 2 && bytes[1] == UInt8(ascii: ":") && (UInt8(ascii: "A")...UInt8(ascii: "z")).contains(bytes[0])
        if isDrive || bytes.first == UInt8(ascii: "\\") {
            for index in bytes.indices where bytes[index] == UInt8(ascii: "\\") { bytes[index] = UInt8(ascii: "/") }
        }
        if isDrive {
            guard bytes.count == 2 || bytes[2] == UInt8(ascii: "/") else { return nil }
            bytes = [UInt8(ascii: "/"), bytes[0] | 0x20] + bytes[2...]
        }
        guard bytes.first == UInt8(ascii: "/"), !bytes.contains(0) else { return nil }
        // What `..` means depends on links that nobody can ask.
        guard !bytes.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) }) else { return nil }
        return LexicalPath.absolute(String(decoding: bytes, as: UTF8.self))
    }
}
