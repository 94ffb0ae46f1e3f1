// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// A chain of this host, and which of its plugins have to be asked before which others.
struct ChainOrder: Sendable {
    /// Of the plugins, in the order in which they are asked.
    var names: [String]
    /// Where it is set, in words.
    var place: String

    private struct Rule {
        var first: String
        var second: String
        /// What becomes of a mount if they are asked the other way round.
        var reason: String
    }

    /// Where a kind denies in the wrong order, this says it before a container does.
    private static let rules = [
        Rule(first: "translate", second: "policy", reason: "policy does not see where a path leads"),
        Rule(first: "translate", second: "ownership", reason: "translate does not see the path that was asked for"),
        Rule(first: "translate", second: "copy-on-write", reason: "translate does not see the path that was asked for"),
        Rule(first: "translate", second: "noswap", reason: "translate does not see the path that was asked for"),
        Rule(first: "policy", second: "copy-on-write", reason: "policy does not see what lies below an overlay"),
        Rule(first: "ownership", second: "copy-on-write", reason: "an overlay cannot be id-mapped"),
    ]

    /// The chains of this host: that of the runtime's settings, and those of the arguments of Docker's runtimes.
    ///
    /// - Throws: `PluginError` for a file that is damaged.
    static func all(on places: PluginPlaces) throws(PluginError) -> [ChainOrder] {
        var chains: [ChainOrder] = []
        if let settings = try object(places.runtimeSettings) {
            let names = try shaped(places.runtimeSettings) { () throws(JSONShapeError) in try settings.texts("mount-point-plugins") }
            if !names.isEmpty { chains.append(ChainOrder(names: names, place: places.runtimeSettings.string)) }
        }
        guard let engine = try object(places.engineSettings) else { return chains }
        let runtimes = try shaped(places.engineSettings) { () throws(JSONShapeError) in try engine.object("runtimes") }
        for runtime in runtimes.members.members {
            let names = pluginNames((runtime.value["runtimeArgs"]?.arrayValue ?? []).compactMap(\.stringValue))
            if !names.isEmpty { chains.append(ChainOrder(names: names, place: "the runtime \(runtime.key) of \(places.engineSettings)")) }
        }
        return chains
    }

    private static func object(_ path: FilePath) throws(PluginError) -> JSONObjectReader? {
        let bytes: [UInt8]?
        do throws(SystemError) { bytes = try readRegularFileIfThere(path, limit: 1 << 20) } catch { throw PluginError("\(error)") }
        guard let bytes else { return nil }
        return try shaped(path) { () throws(JSONShapeError) in try JSONObjectReader(parsing: bytes) }
    }

    private static func shaped<Value>(_ path: FilePath, _ body: () throws(JSONShapeError) -> Value) throws(PluginError) -> Value {
        do throws(JSONShapeError) { return try body() } catch { throw PluginError("\(path): \(error)") }
    }

    private static func pluginNames(_ words: [String]) -> [String] {
        let flag = "-mount-point-plugin"
        var names: [String] = []
        for (index, word) in words.enumerated() {
            // One hyphen is as good as two.
            let word = word.hasBytePrefix("--") ? String(decoding: word.utf8.dropFirst(), as: UTF8.self) : word
            if word.hasBytePrefix(flag + "=") { names.append(String(decoding: word.utf8.dropFirst(flag.utf8.count + 1), as: UTF8.self)) }
            if word.hasSameBytes(as: flag), index + 1 < words.count { names.append(words[index + 1]) }
        }
        return names
    }

    /// The kind that a plugin of this name is taken for: the name is the kind, or begins with it and a hyphen. nil for other plugins.
    static func kind(of name: String) -> String? {
        let kinds = Set(rules.flatMap { [$0.first, $0.second] })
        return kinds.first { name.hasSameBytes(as: $0) || name.hasBytePrefix($0 + "-") }
    }

    /// - Parameter kind: what is said is about this one alone; nil for all.
    func findings(of kind: String?) -> [PluginFinding] {
        var findings: [PluginFinding] = []
        for (index, late) in names.enumerated() {
            for early in names[..<index] {
                guard let rule = Self.rules.first(where: { $0.second == Self.kind(of: early) && $0.first == Self.kind(of: late) }),
                    kind == nil || kind == rule.first || kind == rule.second
                else { continue }
                findings.append(
                    PluginFinding(.failed, "\(place): \(early) is asked before \(late), so \(rule.reason); put \(late) before \(early)"))
            }
        }
        if findings.isEmpty && kind == nil {
            findings.append(PluginFinding(.ok, "\(place): \(names.joined(separator: ", ")) is a right order"))
        }
        return findings
    }
}
