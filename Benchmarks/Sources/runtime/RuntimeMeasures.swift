// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// The measures of mountpoint-runc, against the runtime below it alone.
struct RuntimeMeasures {
    let settings: RuntimeSettings
    let folder: String

    /// What one round measured.
    private struct Round {
        var plain: LifeFigures
        var empty: LifeFigures
        var unmatched: LifeFigures
        var matched: LifeFigures
    }

    /// - Returns: the names of the limits that do not hold.
    func measure() throws -> [String] {
        becomeUndisturbed()
        // As systemd gives it to containerd.
        setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1)
        try run("mount", ["--make-rshared", "/"])
        let folders = try EngineFolders(settings, in: folder)
        // As `make install` leaves it: a file that the linker has just written takes more page faults.
        let program = folder + "/mountpoint-runc"
        try run("strip", ["-o", program, settings.runtime])
        let wanting = try MeasuredPlugin(name: "wanting", wanting: folders.source, in: folder)
        let other = try MeasuredPlugin(name: "other", wanting: "/nowhere", in: folder)
        let ways = [
            Way(program: settings.below, chain: [], plugin: nil),
            Way(program: program, chain: [], plugin: nil),
            Way(program: program, chain: ["other"], plugin: other),
            Way(program: program, chain: ["wanting"], plugin: wanting),
        ]
        let rounds = try self.rounds(ways, folders)
        for plugin in [wanting, other] { try plugin.process.stop() }
        return report(rounds)
    }

    /// Lets nothing else on this machine delay what is measured, either side of it: children inherit it.
    ///
    /// A process that has real-time scheduling cannot be put into a control group that has been given no time of it. So the hierarchy
    /// that gives it, where it is one by itself (version 1), is left out: for this program's containers, and on both sides alike.
    private func becomeUndisturbed() {
        let entries = ((try? readFile("/proc/self/mountinfo")) ?? "").split(separator: "\n").map { $0.split(separator: " ") }
        let hierarchy = entries.last { fields in
            guard let dash = fields.firstIndex(of: "-"), dash + 3 < fields.count, fields[dash + 1] == "cgroup" else { return false }
            return fields[dash + 3].split(separator: ",").contains("cpu")
        }
        var parameters = sched_param(sched_priority: 1)
        if let hierarchy, umount2(String(hierarchy[4]), CInt(MNT_DETACH)) == 0, sched_setscheduler(0, SCHED_RR, &parameters) == 0 {
            return
        }
        print("no real-time scheduling here, so expect noise")
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -20)
    }

    private func rounds(_ ways: [Way], _ folders: EngineFolders) throws -> [Round] {
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        dup2(null, STDIN_FILENO)
        var rounds: [Round] = []
        // The first round of all loads programs, and has the plugins asked for their properties.
        for number in 0...settings.rounds {
            var figures = ways.map { _ in LifeFigures() }
            for step in ways.indices {
                let way = (number + step) % ways.count
                let digits = String(number * ways.count + way, radix: 16)
                let id = String(repeating: "b", count: 64 - digits.count) + digits
                figures[way] = try ContainerLife(ways[way], id: id, folders: folders, below: settings.below, null: null).run()
            }
            if number > 0 { rounds.append(Round(plain: figures[0], empty: figures[1], unmatched: figures[2], matched: figures[3])) }
        }
        return rounds
    }

    private func report(_ rounds: [Round]) -> [String] {
        var report = Report("mountpoint-runc against \(settings.below) alone", against: "alone")
        func pairs(_ ours: KeyPath<Round, LifeFigures>, _ figure: KeyPath<LifeFigures, Double>) -> Pairs {
            var pairs = Pairs()
            for round in rounds { pairs.add(ours: round[keyPath: ours][keyPath: figure], theirs: round.plain[keyPath: figure]) }
            return pairs
        }
        func add(_ name: String, _ pairs: Pairs, less other: Double = 0, limit: Limit) {
            report.add(name, .nanoseconds, pairs)
            report.add("\(name), added", .nanoseconds, ours: pairs.difference - other, limit: limit)
        }
        for (name, figure) in [
            ("--version", \LifeFigures.version), ("state", \.state), ("start", \.start), ("kill", \.kill), ("delete", \.delete),
        ] {
            add("\(name), handed over", pairs(\.unmatched, figure), limit: .value(1.5e6))
        }
        add("create, no plugins", pairs(\.empty, \.create), limit: .none)
        add("create, no pattern matches", pairs(\.unmatched, \.create), limit: .value(5e6))
        let plugin = median(rounds.map(\.matched.plugin))
        add("create, one plugin matches", pairs(\.matched, \.create), less: plugin, limit: .value(8e6))
        report.add("of that the plugin itself, not counted as added", .nanoseconds, ours: plugin)
        add("start, supervised", pairs(\.matched, \.start), limit: .none)
        add("kill, supervised", pairs(\.matched, \.kill), limit: .none)
        add("delete, supervised", pairs(\.matched, \.delete), limit: .none)
        report.add("supervisor, resident", .bytes, ours: median(rounds.compactMap(\.matched.resident)), limit: .value(6e6))
        report.add("supervisor, resident, shared pages in parts", .bytes, ours: median(rounds.compactMap(\.matched.proportional)))
        let left = rounds.filter { $0.unmatched.resident != nil || $0.empty.resident != nil }
        report.add("supervisors of containers that no plugin wants", .count, ours: Double(left.count), limit: .value(0))
        return report.missed
    }
}
