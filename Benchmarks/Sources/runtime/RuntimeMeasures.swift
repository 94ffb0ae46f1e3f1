// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// The measures of mountpoint-runc, against the runtime below it alone, and against a wrapper that only becomes that runtime.
struct RuntimeMeasures {
    let settings: RuntimeSettings
    let folder: String

    /// What one round measured.
    private struct Round {
        var plain: LifeFigures
        var wrapper: LifeFigures
        var empty: LifeFigures
        var unmatched: LifeFigures
        var matched: LifeFigures
        var shipped: LifeFigures
    }

    /// - Returns: the names of the limits that do not hold.
    func measure() throws -> [String] {
        // As systemd gives it to containerd.
        setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1)
        setenv("EXEC_RUNC", settings.below, 1)
        try Isolation.shareMounts()
        let folders = try EngineFolders(settings, in: folder)
        // As `make install` leaves it: a file that the linker has just written takes more page faults.
        let program = folder + "/mountpoint-runc"
        try run("strip", ["-o", program, settings.runtime])
        let plugins = folder + "/mountpoint-plugin"
        try run("strip", ["-o", plugins, settings.plugin])
        let starts = try self.starts(program, plugins, folders)
        becomeUndisturbed()
        let wanting = try MeasuredPlugin(name: "wanting", wanting: folders.source, in: folder)
        let other = try MeasuredPlugin(name: "other", wanting: "/nowhere", in: folder)
        let shipped = try ShippedPlugins(plugins, in: folder)
        let ways = [
            Way(program: settings.below, chain: [], plugin: nil),
            Way(program: settings.peer, chain: [], plugin: nil),
            Way(program: program, chain: [], plugin: nil),
            Way(program: program, chain: ["other"], plugin: other),
            Way(program: program, chain: ["wanting"], plugin: wanting),
            Way(program: program, chain: shipped.names, plugin: nil),
        ]
        let rounds = try self.rounds(ways, folders)
        let handedOver = try self.handedOver(program, folders)
        for plugin in [wanting, other] { try plugin.process.stop() }
        try shipped.stop()
        return report(rounds, handedOver, starts)
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

    /// An engine and what it starts, which all have the scheduling that they have on any host.
    private func starts(_ program: String, _ plugins: String, _ folders: EngineFolders) throws -> Pairs {
        let shipped = try ShippedPlugins(plugins, in: folder)
        try folders.setChain(shipped.names, below: settings.below)
        let engine = try EngineMeasures(program, source: folders.source, in: folder)
        let starts = try engine.measure(rounds: settings.rounds)
        try engine.stop()
        try shipped.stop()
        return starts
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
            if number > 0 {
                rounds.append(
                    Round(
                        plain: figures[0], wrapper: figures[1], empty: figures[2], unmatched: figures[3], matched: figures[4],
                        shipped: figures[5]))
            }
        }
        return rounds
    }

    /// What is added to a `create` that is handed over. By a runtime below that ends at once: runc's own creates differ from one another by
    /// more than what is to be measured here.
    private func handedOver(_ program: String, _ folders: EngineFolders) throws -> (ours: Double, wrapper: Double) {
        let bundle = try folders.makeBundle("handed-over")
        defer { _ = try? Measuring.run("rm", ["-r", bundle]) }
        try folders.setChain([], below: settings.pause)
        let words = ["--root", EngineFolders.runtimeRoot, "create", "--bundle", bundle, "handed-over"]
        func time(_ program: String) throws -> Double {
            let start = monotonicNanoseconds()
            let status = try Process(program, words, environment: ["EXEC_RUNC": settings.pause], output: nil).wait()
            let end = monotonicNanoseconds()
            if status != 0 { throw BenchmarkError("\(program) failed with status \(status)") }
            return end - start
        }
        var ours = Pairs()
        var wrapper = Pairs()
        for _ in 0...settings.rounds {
            let alone = try time(settings.pause)
            ours.add(ours: try time(program), theirs: alone)
            wrapper.add(ours: try time(settings.peer), theirs: alone)
        }
        return (ours.difference, wrapper.difference)
    }

    private func report(_ rounds: [Round], _ handedOver: (ours: Double, wrapper: Double), _ starts: Pairs) -> [String] {
        func pairs(_ ours: KeyPath<Round, LifeFigures>, _ figure: KeyPath<LifeFigures, Double>) -> Pairs {
            var pairs = Pairs()
            for round in rounds { pairs.add(ours: round[keyPath: ours][keyPath: figure], theirs: round.plain[keyPath: figure]) }
            return pairs
        }
        var whole = Report("mountpoint-runc against \(settings.below) alone", against: "alone")
        for (name, figure) in Self.commands { whole.add("\(name), handed over", .nanoseconds, pairs(\.unmatched, figure)) }
        whole.add("create, no plugins", .nanoseconds, pairs(\.empty, \.create))
        whole.add("create, no pattern matches", .nanoseconds, pairs(\.unmatched, \.create), limit: .ratio(1.15))
        whole.add("create, one plugin matches", .nanoseconds, pairs(\.matched, \.create), limit: .ratio(1.15))
        whole.add("create, five idle plugins that ship", .nanoseconds, pairs(\.shipped, \.create))
        whole.add("create, start, kill, delete, five that ship", .nanoseconds, pairs(\.shipped, \.life))
        whole.add("docker run, five idle plugins that ship", .nanoseconds, starts, limit: .ratio(1.05))
        whole.add("of that the plugin itself", .nanoseconds, ours: median(rounds.map(\.matched.plugin)))
        for (name, figure) in Self.commands.dropFirst(2) { whole.add("\(name), supervised", .nanoseconds, pairs(\.matched, figure)) }
        whole.add("supervisor, resident", .bytes, ours: median(rounds.compactMap(\.matched.resident)), limit: .value(6e6))
        whole.add("supervisor, resident, shared pages in parts", .bytes, ours: median(rounds.compactMap(\.matched.proportional)))
        let left = rounds.filter { $0.unmatched.resident != nil || $0.empty.resident != nil || $0.shipped.resident != nil }
        whole.add("supervisors of containers that no plugin wants", .count, ours: Double(left.count), limit: .value(0))

        var added = Report(
            "what a command adds to \(settings.below) alone, against a Go wrapper that only becomes it", against: "Go wrapper")
        for (name, figure) in Self.commands {
            added.add(
                "\(name), handed over, added", .nanoseconds, ours: pairs(\.unmatched, figure).difference,
                peer: pairs(\.wrapper, figure).difference, limit: .ratio(1))
        }
        added.add("create, no plugins, added", .nanoseconds, ours: handedOver.ours, peer: handedOver.wrapper, limit: .ratio(1))
        for (name, way) in [("no pattern matches", \Round.unmatched), ("one plugin matches", \Round.matched)] {
            added.add(
                "create, \(name), added", .nanoseconds, ours: pairs(way, \.create).difference,
                peer: pairs(\.wrapper, \.create).difference)
        }
        return whole.missed + added.missed
    }

    /// Those that are handed over of a container that no plugin wants.
    private static var commands: [(name: String, figure: KeyPath<LifeFigures, Double>)] {
        [("--version", \.version), ("state", \.state), ("start", \.start), ("kill", \.kill), ("delete", \.delete)]
    }
}
