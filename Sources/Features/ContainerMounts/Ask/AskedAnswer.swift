// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import MountPointChain

/// The result of `ask`, as text and as JSON.
struct AskedAnswer {
    let id: String
    let isDryRun: Bool
    let plugins: [AskedPlugin]
    /// As they would be in the container; nil if it would not start, or no plugin was asked.
    var mounts: [MountPoint]?
    /// Why the container would not start.
    var denial: RuntimeError?
    /// What could not be undone.
    var failures: [String] = []
    /// What could not be found out before the plugins were asked.
    var notes: [String] = []

    var status: Int32 { denial == nil && failures.isEmpty ? 0 : 1 }

    // MARK: JSON

    /// The names are documented and stay.
    var json: JSONValue {
        var object: JSONObject = ["version": 1, "id": .string(id), "isDryRun": .bool(isDryRun)]
        object["plugins"] = .array(plugins.map(Self.json))
        object["mounts"] =
            mounts.map { mounts in
                .array(
                    mounts.map { mount in
                        [
                            "destination": .string(mount.destination), "source": .string(mount.source),
                            "effectiveSource": .string(mount.effectiveSource),
                            "plugins": .array(mount.appliedMiddleware.map { .string($0.name) }),
                        ]
                    })
            } ?? .null
        object["denial"] = denial.map { .string($0.message) } ?? .null
        object["denialCode"] = denial.map { .string($0.code.description) } ?? .null
        object["failures"] = .array(failures.map { .string($0) })
        object["notes"] = .array(notes.map { .string($0) })
        return .object(object)
    }

    private static func json(_ plugin: AskedPlugin) -> JSONValue {
        var object: JSONObject = ["name": .string(plugin.name), "patterns": JSONValue(plugin.knownProperties?.patterns.count ?? 0)]
        object["matches"] = .array(
            plugin.matches.map {
                ["destination": .string($0.destination), "number": JSONValue($0.number), "pattern": $0.pattern]
            })
        object["request"] = plugin.requestJSON ?? .null
        object["answer"] = plugin.answerJSON ?? .null
        object["error"] = plugin.failure.map { .string($0.message) } ?? .null
        object["milliseconds"] = plugin.duration.flatMap { JSONNumber(milliseconds($0)) }.map { .number($0) } ?? .null
        object["detach"] =
            plugin.detached.map { answer in AskedPlugin.json { answer.write(to: &$0) } }
            ?? plugin.detachFailure.map { ["Err": .string($0.message)] } ?? .null
        return .object(object)
    }

    private static func milliseconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds * 1_000_000 + attoseconds / 1_000_000_000_000) / 1000
    }

    // MARK: Text

    var text: String {
        var lines = notes.map { "note: \($0)" }
        lines.append("container \(id), an id made up for this question")
        for plugin in plugins { lines += Self.lines(plugin, isDryRun: isDryRun) }
        for mount in mounts ?? [] {
            let by = mount.appliedMiddleware.isEmpty ? "as it is" : "by \(mount.appliedMiddleware.map(\.name).joined(separator: ", "))"
            lines.append("mount \(mount.destination)")
            lines.append("  source    \(mount.source)")
            lines.append("  is        \(mount.effectiveSource), \(by)")
        }
        if let denial { lines.append("the container would not start: \(denial.message)") }
        lines += failures.map { "not undone: \($0)" }
        return lines.map { TerminalOutput.printable($0) + "\n" }.joined()
    }

    private static func lines(_ plugin: AskedPlugin, isDryRun: Bool) -> [String] {
        var lines = ["plugin \(plugin.name)"]
        guard let request = plugin.requestJSON else {
            let count = plugin.knownProperties?.patterns.count ?? 0
            lines.append("  not asked: no mount matches \(count == 1 ? "its pattern" : "any of its \(count) patterns")")
            return lines
        }
        for match in plugin.matches {
            let what = match.destination.isEmpty ? "the container itself" : match.destination
            lines.append(
                "  \(isDryRun ? "would be" : "was") asked about \(what), by pattern \(match.number): \(match.pattern)")
        }
        lines.append("  request   POST \(MountPointMethod.attach.rawValue)")
        lines.append("            \(request)")
        if isDryRun { return lines }
        let took = plugin.duration.map { " (\(milliseconds($0)) ms)" } ?? ""
        if let answer = plugin.answerJSON { lines.append("  answer    \(answer)\(took)") }
        if let failure = plugin.failure {
            lines.append("  failed    \(failure.message.isEmpty ? "without a reason" : failure.message)\(took)")
        }
        if let detached = plugin.detached { lines.append("  detach    \(AskedPlugin.json { detached.write(to: &$0) })") }
        if let failure = plugin.detachFailure { lines.append("  detach    failed: \(failure.message)") }
        return lines
    }
}
