// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LexicalPaths
import LinuxSystem

/// A container's label that asks a plugin to take part in some of its mounts: `DESTINATION[:OPTIONS]`, several by `;`, `*` for all.
struct MountLabel: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        /// A mount's, as the engine spells it; nil for all that the kind takes.
        var destination: String?
        var options: String
    }

    private(set) var entries: [Entry] = []

    static let form = "DESTINATION[:OPTIONS], several by \";\", \"*\" for all"

    /// A destination may have `:` and `;` in it: those that the container has are tried first, the longest of them before the others.
    ///
    /// - Parameters:
    ///   - key: of the label, for messages.
    ///   - destinations: of all mounts of the container that the host has shown.
    /// - Throws: `PluginError`, if a destination is none of them, is there twice, or there is none.
    init(_ text: String, key: String, destinations: [String]) throws(PluginError) {
        let ordered = destinations.sorted { $0.utf8.count > $1.utf8.count }
        var rest = text.utf8[...]
        repeat {
            rest = rest.drop { $0 == UInt8(ascii: " ") }
            let entry: Entry
            if let known = ordered.first(where: { Self.begins(rest, with: $0) }) {
                entry = Self.entry(known, &rest, after: known.utf8.count)
            } else {
                entry = try Self.otherEntry(&rest, key: key, text: text, destinations: destinations)
            }
            if entries.contains(where: { Self.areSame($0.destination, entry.destination) }) {
                throw PluginError("label \(key)=\(text): \(entry.destination ?? "*") is named twice")
            }
            entries.append(entry)
        } while !rest.isEmpty
    }

    /// What the label says of a mount; what names it comes before `*`.
    func options(for destination: String) -> String? {
        (entries.first { Self.areSame($0.destination, destination) } ?? entries.first { $0.destination == nil })?.options
    }

    /// Whether the label names it, and not only all.
    func names(_ destination: String) -> Bool { entries.contains { Self.areSame($0.destination, destination) } }

    private static func areSame(_ one: String?, _ other: String?) -> Bool {
        guard let one, let other else { return one == nil && other == nil }
        return one.hasSameBytes(as: other)
    }

    private static func isEnd(_ byte: UInt8?) -> Bool { byte == nil || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ";") }

    private static func begins(_ rest: Substring.UTF8View, with destination: String) -> Bool {
        rest.starts(with: destination.utf8) && isEnd(rest.dropFirst(destination.utf8.count).first)
    }

    /// Reads the options, and the `;` behind them.
    private static func entry(_ destination: String?, _ rest: inout Substring.UTF8View, after count: Int) -> Entry {
        rest = rest.dropFirst(count)
        var options: Substring.UTF8View = ""[...].utf8
        if rest.first == UInt8(ascii: ":") {
            rest = rest.dropFirst()
            options = rest.prefix { $0 != UInt8(ascii: ";") }
            rest = rest.dropFirst(options.count)
        }
        rest = rest.dropFirst()
        while options.last == UInt8(ascii: " ") { options = options.dropLast() }
        return Entry(destination: destination, options: String(decoding: options, as: UTF8.self))
    }

    /// `*`, or a destination that is spelled in another way, such as with a slash at the end.
    private static func otherEntry(
        _ rest: inout Substring.UTF8View, key: String, text: String, destinations: [String]
    ) throws(PluginError) -> Entry {
        let word = rest.prefix { !isEnd($0) }
        var spelled = String(decoding: word, as: UTF8.self)
        while spelled.utf8.last == UInt8(ascii: " ") { spelled = String(decoding: spelled.utf8.dropLast(), as: UTF8.self) }
        if spelled.hasSameBytes(as: "*") { return entry(nil, &rest, after: word.count) }
        guard spelled.utf8.first == UInt8(ascii: "/") else { throw PluginError("label \(key)=\(text): must be \(form)") }
        let cleaned = LexicalPath.absolute(spelled)
        guard let known = destinations.first(where: { LexicalPath.absolute($0).hasSameBytes(as: cleaned) }) else {
            let all =
                destinations.isEmpty
                ? "it has none that this plugin is shown" : "there are \(destinations.sorted().joined(separator: ", "))"
            throw PluginError("label \(key)=\(text): \(spelled) is no mount of this container; \(all)")
        }
        return entry(known, &rest, after: word.count)
    }
}
