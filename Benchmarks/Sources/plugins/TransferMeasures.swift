// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// Files that belong to the container's user while it runs, against chown(1) and find(1), each with a tree of its own.
struct TransferMeasures {
    let settings: PluginSettings
    let host: PluginFolders

    private static let (count, made) = (10_000, 1000)
    private static let user: uid_t = 33
    private static let limit = Limit.ratio(1.5)

    func measure() throws -> [String] {
        var report = Report("ownership by transfer, of 10,000 files", against: "chown, find")
        let plugin = try ServedPlugin("ownership", host)
        let (ours, theirs) = (try host.makeTree("given"), try host.makeTree("changed"))
        for tree in [ours, theirs] { try Tree.write(Self.count, below: tree) }
        try transfer(plugin, ours, theirs, &report)
        try giveBack(plugin, ours, theirs, &report)
        try plugin.stop()
        return report.missed
    }

    private func transfer(_ plugin: ServedPlugin, _ ours: String, _ theirs: String, _ report: inout Report) throws {
        let mount = AskedMount(source: ours, label: ("mountpoint.ownership", "/data:mode=transfer"), user: Self.user)
        var (there, back, both) = (Pairs(), Pairs(), Pairs())
        func own() throws -> (there: Double, back: Double) {
            try syncAll(host.trees)
            let attached = try plugin.attach(mount)
            try check(ours, Self.user)
            let back = try plugin.detach(attached)
            try check(ours, Tree.owner)
            return (attached.time, back)
        }
        func chown() throws -> (there: Double, back: Double) {
            try syncAll(host.trees)
            return (try time("chown", ["-R", Self.name(Self.user), theirs]), try time("chown", ["-R", Self.name(Tree.owner), theirs]))
        }
        for round in 0...settings.fewRounds {
            let first = round % 2 == 0 ? try own() : nil
            let peer = try chown()
            let ours = try first ?? own()
            // The first round reads all into memory.
            if round == 0 { continue }
            there.add(ours: ours.there, theirs: peer.there)
            back.add(ours: ours.back, theirs: peer.back)
            both.add(ours: ours.there + ours.back, theirs: peer.there + peer.back)
        }
        report.add("transfer: Attach against chown -R", .nanoseconds, there)
        report.add("transfer: Detach against chown -R back", .nanoseconds, back)
        report.add("transfer: there and back", .nanoseconds, both, limit: Self.limit)
        let synced = try alternate(rounds: settings.fewRounds) {
            let times = try own()
            return try times.there + times.back + time("sync", ["--file-system", ours])
        } theirs: {
            let times = try chown()
            return try times.there + times.back + time("sync", ["--file-system", theirs])
        }
        report.add("transfer: there and back, then sync -f of both", .nanoseconds, synced)
    }

    private func giveBack(_ plugin: ServedPlugin, _ ours: String, _ theirs: String, _ report: inout Report) throws {
        let mount = AskedMount(source: ours, label: ("mountpoint.ownership", "/data:mode=give-back"), user: Self.user)
        func make(_ tree: String) throws {
            let folder = tree + "/made"
            try run("rm", ["-rf", folder])
            try makeFolder(folder)
            Glibc.chown(folder, Self.user, Self.user)
            try Tree.write(Self.made, below: folder, owner: Self.user)
            try syncAll(host.trees)
        }
        let pairs = try alternate(rounds: settings.fewRounds) {
            let attached = try plugin.attach(mount)
            try make(ours)
            let time = try plugin.detach(attached)
            try check(ours + "/made/0", Tree.owner)
            return time
        } theirs: {
            try make(theirs)
            return try time(
                "find", [theirs, "!", "-user", String(Tree.owner), "-exec", "chown", Self.name(Tree.owner), "{}", "+"])
        }
        report.add("give-back of 1,000 of them, against find -exec chown", .nanoseconds, pairs, limit: Self.limit)
    }

    private static func name(_ user: uid_t) -> String { "\(user):\(user)" }

    private func check(_ path: String, _ owner: uid_t) throws {
        var status = stat()
        if stat(path, &status) != 0 || status.st_uid != owner { throw BenchmarkError("\(path) does not belong to \(owner)") }
    }
}

/// - Returns: nanoseconds from the start of a program until its end.
func time(_ program: String, _ words: [String], environment: [String: String] = [:]) throws -> Double {
    let start = monotonicNanoseconds()
    try run(program, words, environment: environment)
    return monotonicNanoseconds() - start
}
