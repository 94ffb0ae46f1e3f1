// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// The measures of mounting through the socket, against the bare kernel calls and against mount.nfs.
struct MountMeasures {
    let settings: Settings
    let folder: String

    private static let volumeCount = 64

    /// What one way of mounting took.
    private struct Times {
        var mount: Double
        var unmount: Double
    }

    /// The same measure by several ways, in the same rounds.
    private struct Rounds {
        private var rounds: [[Times]] = []
        mutating func add(_ times: [Times]) { rounds.append(times) }
        func pairs(_ part: KeyPath<Times, Double>, against way: Int) -> Pairs {
            var pairs = Pairs()
            for round in rounds { pairs.add(ours: round[0][keyPath: part], theirs: round[way][keyPath: part]) }
            return pairs
        }
    }

    func measure() throws -> [String] {
        try makeFolder(folder)
        let server = try Server.daemon(settings, in: folder + "/ours")
        if let export = settings.export {
            for number in 0..<Self.volumeCount { try makeFolder("\(export.path)/\(number)") }
        }
        let process = try server.start()
        for number in 0..<Self.volumeCount {
            let (host, path) = settings.export.map { ($0.server, "\($0.path)/\(number)") } ?? ("127.0.0.1", "/exports/data")
            try server.call("Create", #"{"Name":"mount-\#(number)","Opts":{"server":"\#(host)","path":"\#(path)"}}"#)
        }
        try checkLikeness(server)
        var missed = try reportOne(measureOne(server))
        for count in [8, Self.volumeCount] { missed += try reportMany(measureMany(server, count: count), count: count) }
        try process.stop()
        return missed
    }

    /// What is not the same kind of mount cannot be compared.
    private func checkLikeness(_ server: Server) throws {
        let answer = try server.call("Mount", #"{"Name":"mount-0","ID":"likeness"}"#)
        let parts = answer.split(separator: "\"").map(String.init)
        guard let key = parts.firstIndex(of: "Mountpoint"), key + 2 < parts.count else {
            throw BenchmarkError("no Mountpoint in \(answer)")
        }
        let place = parts[key + 2]
        var ours = "nothing"
        for line in try readFile("/proc/self/mountinfo").split(separator: "\n") {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count > 5, fields[4] == place, let dash = fields.firstIndex(of: "-"), dash + 3 < fields.count else { continue }
            ours = "\(fields[dash + 1]) \(fields[5]) \(fields[dash + 3])"
        }
        try server.call("Unmount", #"{"Name":"mount-0","ID":"likeness"}"#)
        let shown = try run(settings.bare, try bareArguments(["--show"]))
        let theirs = shown.split(separator: "\n").first { $0.hasPrefix("mounted ") }.map { String($0.dropFirst(8)) } ?? "nothing"
        if ours != theirs { throw BenchmarkError("not the same kind of mount: ours \(ours), the bare calls' \(theirs)") }
        print("\nboth mount: \(ours)")
    }

    private func measureOne(_ server: Server) throws -> Rounds {
        var ways: [() throws -> Times] = [{ try ourOne(server) }, { try bare([]) }]
        if let program = settings.mountNFS { ways.append { try byMountNFS(program, count: 1) } }
        return try rotate(ways, rounds: settings.rounds)
    }

    private func measureMany(_ server: Server, count: Int) throws -> Rounds {
        let together = ["--count", String(count), "--at-once"]
        var ways: [() throws -> Times] = [
            { try ourMany(server, count: count) }, { try bare(together + ["processes"]) }, { try bare(together + ["threads"]) },
        ]
        if let program = settings.mountNFS { ways.append { try byMountNFS(program, count: count) } }
        return try rotate(ways, rounds: settings.fewRounds)
    }

    private static let parts = [("Mount", \Times.mount), ("Unmount", \Times.unmount)]

    private func reportOne(_ one: Rounds) -> [String] {
        let kind = settings.export != nil ? "NFS" : "tmpfs, which takes microseconds: only what is added counts"
        var report = Report("mounts, one after another (\(kind))", against: "bare")
        let limit = settings.isEmulated ? Limit.none : .value(3e6)
        for (name, part) in Self.parts {
            let pairs = one.pairs(part, against: 1)
            report.add(name, .nanoseconds, pairs)
            report.add("\(name), added to the bare calls", .nanoseconds, ours: pairs.difference, limit: limit)
            if settings.mountNFS != nil { report.add("\(name), against mount.nfs and umount", .nanoseconds, one.pairs(part, against: 2)) }
        }
        return report.missed
    }

    private func reportMany(_ many: Rounds, count: Int) -> [String] {
        let onNFS = settings.export != nil
        var report = Report("\(count) mounts at once (\(onNFS ? "NFS" : "tmpfs, for information"))", against: "peer")
        let most = onNFS ? Limit.ratio(1.5) : .none
        for (name, part) in Self.parts {
            report.add("\(count) times \(name), bare calls in processes", .nanoseconds, many.pairs(part, against: 1), limit: most)
            report.add("\(count) times \(name), bare calls in threads", .nanoseconds, many.pairs(part, against: 2))
            guard settings.mountNFS != nil else { continue }
            report.add("\(count) times \(name), against mount.nfs and umount", .nanoseconds, many.pairs(part, against: 3))
        }
        return report.missed
    }

    /// Measures all ways in each round, beginning with another one each time.
    private func rotate(_ ways: [() throws -> Times], rounds: Int) throws -> Rounds {
        var result = Rounds()
        // The first round of all loads programs and grows tables.
        for way in ways { _ = try way() }
        for round in 0..<rounds {
            var times: [Times?] = ways.map { _ in nil }
            for step in ways.indices {
                let way = (round + step) % ways.count
                times[way] = try ways[way]()
                // The kernel takes an NFS client apart after the call has returned; that is not the next one's cost.
                if settings.export != nil { usleep(100_000) }
            }
            result.add(times.compactMap(\.self))
        }
        return result
    }

    private func ourOne(_ server: Server) throws -> Times {
        let body = #"{"Name":"mount-0","ID":"one"}"#
        return Times(mount: try server.each("Mount", body), unmount: try server.each("Unmount", body))
    }

    private func ourMany(_ server: Server, count: Int) throws -> Times {
        let body = #"{"Name":"mount-%d","ID":"many"}"#
        let mount = try server.together("Mount", body, count: count)
        return Times(mount: mount, unmount: try server.together("Unmount", body, count: count))
    }

    private func bare(_ arguments: [String]) throws -> Times {
        let output = try run(settings.bare, try bareArguments(arguments))
        return Times(mount: try Server.figure("mount", in: output), unmount: try Server.figure("unmount", in: output))
    }

    /// What docker-nfsd hands to the kernel when it is given no options.
    private func bareArguments(_ arguments: [String]) throws -> [String] {
        let places = folder + "/bare"
        try makeFolder(places)
        var all = ["--attribute", "noatime"]
        if let export = settings.export {
            all += ["--type", "nfs4", "--source", "\(export.server):\(export.path)/%d"]
            for option in ["vers=4.1", "addr=\(export.server)", "proto=tcp", "soft"] { all += ["--option", option] }
        } else {
            all += ["--type", "tmpfs", "--source", "none"]
        }
        return all + arguments + [places]
    }

    /// As a plugin does that runs the commands: a process each, all at once.
    private func byMountNFS(_ program: String, count: Int) throws -> Times {
        guard let export = settings.export else { return Times(mount: .nan, unmount: .nan) }
        try makeFolder(folder + "/commands")
        let places = (0..<count).map { "\(folder)/commands/\($0)" }
        for place in places { try makeFolder(place) }
        func time(_ arguments: (Int) -> [String]) throws -> Double {
            let start = monotonicNanoseconds()
            let processes = try places.indices.map { number in
                let words = arguments(number)
                return try Process(words[0], Array(words.dropFirst()))
            }
            let failures = processes.filter { $0.wait() != 0 }
            if let first = failures.first { throw BenchmarkError("\(first.program) failed \(failures.count) times of \(count)") }
            return monotonicNanoseconds() - start
        }
        let mount = try time { [program, "\(export.server):\(export.path)/\($0)", places[$0], "-o", "nfsvers=4.1,rw,noatime,soft"] }
        return Times(mount: mount, unmount: try time { ["umount", places[$0]] })
    }
}
