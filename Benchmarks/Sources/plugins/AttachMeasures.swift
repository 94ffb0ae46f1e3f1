// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// What Attach and Detach take, and that the size of a tree does not matter.
struct AttachMeasures {
    let settings: PluginSettings
    let host: PluginFolders

    private static let sizes = (few: 10, many: 100_000)
    /// Calls in a row on one side of a round.
    private static let calls = 5

    func measure() throws -> [String] {
        let few = try host.makeTree("few")
        let many = try host.makeTree("many")
        try Tree.write(Self.sizes.few, below: few)
        try Tree.write(Self.sizes.many, below: many)
        let policy = try ServedPlugin("policy", settings: #"{"rules": [{"action": "read-only", "source": ["\#(few)"]}]}"#, host)
        let ownership = try ServedPlugin("ownership", host)
        let copyOnWrite = try ServedPlugin("copy-on-write", host)
        let mapped = AskedMount(source: few, label: ("mountpoint.ownership", "/data:match-user"))
        let layered = AskedMount(source: few, label: ("mountpoint.copy-on-write", "/data"))

        var report = Report("attaching", against: "peer")
        let unchanged = AskedMount(source: few)
        let place = try host.makePlace("bare")
        let bare = try alternate(
            rounds: settings.rounds, ours: { try times(ownership, mapped).attach }, theirs: { try bareTime(few, place) })
        report.add("ownership, by map: against the bare calls", .nanoseconds, bare)
        report.add("ownership, by map: added to the bare calls", .nanoseconds, ours: bare.difference)
        try compare("ownership, by map: against policy", (ownership, mapped), (policy, unchanged), limit: 2.5, &report)
        try compare("copy-on-write: against policy", (copyOnWrite, layered), (policy, unchanged), limit: 5, &report)
        for (plugin, mount) in [(ownership, mapped), (copyOnWrite, layered)] {
            var other = mount
            other.source = many
            try compare(
                "\(plugin.kind): 100,000 files against 10", (plugin, other), (plugin, mount), limit: 1.2, &report)
        }
        for plugin in [policy, ownership, copyOnWrite] { try plugin.stop() }
        return report.missed
    }

    private func compare(
        _ name: String, _ ours: (ServedPlugin, AskedMount), _ theirs: (ServedPlugin, AskedMount), limit: Double, _ report: inout Report
    ) throws {
        var (attaching, detaching) = (Pairs(), Pairs())
        _ = (try times(ours.0, ours.1), try times(theirs.0, theirs.1))
        for round in 0..<settings.rounds {
            let first = round % 2 == 0 ? try times(ours.0, ours.1) : nil
            let peer = try times(theirs.0, theirs.1)
            let own = try first ?? times(ours.0, ours.1)
            attaching.add(ours: own.attach, theirs: peer.attach)
            detaching.add(ours: own.detach, theirs: peer.detach)
        }
        report.add("\(name), Attach", .nanoseconds, attaching, limit: .ratio(limit))
        report.add("\(name), Detach", .nanoseconds, detaching, limit: .ratio(limit))
    }

    private func times(_ plugin: ServedPlugin, _ mount: AskedMount) throws -> (attach: Double, detach: Double) {
        var (attaching, detaching): ([Double], [Double]) = ([], [])
        for _ in 0..<Self.calls {
            let attached = try plugin.attach(mount)
            attaching.append(attached.time)
            detaching.append(try plugin.detach(attached))
        }
        return (median(attaching), median(detaching))
    }

    private func bareTime(_ source: String, _ place: String) throws -> Double {
        let lines = try run(settings.bare, [String(Self.calls), source, place]).split(separator: "\n")
        return median(lines.compactMap { Double($0) })
    }
}
