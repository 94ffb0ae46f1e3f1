// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

/// What was tried, and what was found.
final class MatrixReport: Sendable {
    private struct Counts {
        var hits: [String: Int] = [:]
        var missed = 0
        var answers: [String: Int] = [:]
        var faults = 0
    }

    private let counts = Mutex(Counts())
    let title: String

    init(_ title: String) { self.title = title }

    func hit(_ point: InjectionPoint?, _ answer: String) {
        counts.withLock { counts in
            guard let point else { return counts.missed += 1 }
            counts.hits[point.call, default: 0] += 1
            counts.answers[answer, default: 0] += 1
        }
    }

    func foundFault() { counts.withLock { $0.faults += 1 } }

    var tried: Int { counts.withLock { $0.hits.values.reduce(0, +) } }

    var text: String {
        counts.withLock { counts in
            func list(_ counts: [String: Int]) -> String {
                counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            }
            return """
                \(title): \(counts.hits.values.reduce(0, +)) points, \(counts.faults) with a fault, \(counts.missed) not reached
                    calls: \(list(counts.hits))
                    answers: \(list(counts.answers))
                """
        }
    }
}

/// Does one thing again and again, and lets something go wrong at another of its system calls each time.
struct FaultMatrix {
    let daemon: DaemonHost
    let report: MatrixReport
    /// The calls at which it goes wrong, as fault-injector takes them.
    let calls: String
    let action: FaultInjector.Action
    /// Of so many points, one is tried.
    var step = 1

    func run(_ scenario: FaultScenario) async throws {
        try await run(scenario.name) { try await trial(scenario, at: $0, $1) }
    }

    /// The same with the daemon's start, which finds volumes, references, and what an earlier daemon has left.
    func runStart() async throws { try await run("start") { try await startTrial(at: $0, $1) } }

    private func run(_ name: String, _ trial: (_ place: Int, _ action: FaultInjector.Action) async throws -> Trial) async throws {
        let whole = try await trial(0, .count)
        let points = whole.points
        if !whole.faults.isEmpty {
            return _ = Issue.record("\(name), with nothing wrong: \(whole.faults.joined(separator: "; "))\n-- log:\n\(whole.log)")
        }
        for place in stride(from: 1, through: points.count, by: step) {
            let trial = try await trial(place, action)
            report.hit(trial.points.first, trial.answer)
            if trial.faults.isEmpty { continue }
            report.foundFault()
            let point = trial.points.first.map { "\($0)" } ?? "no call"
            Issue.record(
                "\(name), \(action) at call \(place) of \(points.count) (\(point)): \(trial.faults.joined(separator: "; "))\n-- log:\n\(trial.log)"
            )
        }
    }

    private struct Trial {
        var points: [InjectionPoint] = []
        var answer = ""
        var faults: [String] = []
        var log = ""
    }

    private func trial(_ scenario: FaultScenario, at place: Int, _ action: FaultInjector.Action) async throws -> Trial {
        try await trial { trial in
            try await prepare(scenario)
            guard let process = daemon.process else { throw Trouble("the daemon does not run") }
            let injector = try await FaultInjector.attach(
                to: process, calls: calls, at: place, action, log: daemon.host.scratch + "/injector.log")
            let answer = try await daemon.send(scenario.request)
            trial.points = try await injector.points(quiet: 40)
            try await injector.end()
            trial.answer =
                switch answer {
                case .success: "success"
                case .failure: "error"
                case .none, .unreachable: "none"
                }
            trial.faults = try await check(scenario, answer, action)
            if trial.faults.isEmpty { trial.faults = try await finish(scenario) }
        }
    }

    private func startTrial(at place: Int, _ action: FaultInjector.Action) async throws -> Trial {
        let own = ["server": "nas", "path": "/export"]
        let world = ["v": ["1": 2], "w": [:]]
        return try await trial { trial in
            try daemon.emptyData()
            if daemon.process == nil { try await daemon.start() }
            for request in [PluginRequest.create("v", own), .create("w", own), .mount("v", "1"), .mount("v", "1")] {
                try await daemon.succeed(request)
            }
            await daemon.kill()
            try await daemon.leaveWork(of: "w")
            trial.points = try await daemon.tryToStart(calls: calls, at: place, action)
            try await daemon.start()
            trial.faults = await daemon.lastingFaults { try await daemon.faults(allowed: [world]) }
            if !trial.faults.isEmpty { return }
            for request in [PluginRequest.unmount("v", "1"), .unmount("v", "1"), .remove("v"), .remove("w")] {
                try await daemon.succeed(request)
            }
            trial.faults = await daemon.lastingFaults { try await daemon.faults(allowed: [[:]]) }
        }
    }

    /// Begins with new folders after a fault, so that each fault is told once.
    private func trial(_ body: (inout Trial) async throws -> Void) async throws -> Trial {
        var trial = Trial()
        let begin = daemon.log.utf8.count
        do { try await body(&trial) } catch { trial.faults.append("\(error)") }
        if !trial.faults.isEmpty {
            trial.log = String(decoding: Array(daemon.log.utf8.dropFirst(begin)).suffix(4000), as: UTF8.self)
            try await daemon.startAgainFromNothing()
        }
        return trial
    }

    private func prepare(_ scenario: FaultScenario) async throws {
        try daemon.emptyData()
        for folder in scenario.data { try daemon.makeData(folder) }
        if daemon.process == nil { try await daemon.start() }
        for request in scenario.setup { try await daemon.succeed(request) }
    }

    /// Looks after the request, and after a start of the daemon.
    private func check(_ scenario: FaultScenario, _ answer: PluginRequest.Answer, _ action: FaultInjector.Action) async throws -> [String] {
        let allowed = answer.isSuccess ? [scenario.after] : [scenario.before, scenario.after]
        if case .kill = action {
            await daemon.kill()
            try await daemon.start()
            return await daemon.lastingFaults { try await daemon.faults(allowed: allowed) }
        }
        if daemon.process == nil { return ["the daemon has ended"] }
        let faults = await daemon.lastingFaults {
            // A folder that could not be removed is removed at the next start. A record that could not be written says the old.
            try await daemon.faults(allowed: allowed).filter { fault in
                action == .count || !["in run/", "the folder"].contains { fault.hasPrefix($0) }
            }
        }
        if !faults.isEmpty { return faults }
        if case .count = action { return [] }
        // What is on disk must say the same, but for an unmount, which is not refused when its record cannot be written. Of a shared volume
        // the share says at the next look what has become of it.
        let isUnmount = scenario.request.method == .unmount
        let worlds = try await [daemon.world()] + (isUnmount || scenario.isShared ? allowed + [scenario.before] : [])
        await daemon.kill()
        try await daemon.start()
        return await daemon.lastingFaults {
            try await daemon.faults(allowed: worlds).filter { !isUnmount || !$0.hasPrefix("mounted is") }
        }.map { "after a restart " + $0 }
    }

    /// Brings the work to its end, and looks that nothing is left.
    private func finish(_ scenario: FaultScenario) async throws -> [String] {
        let request = scenario.request
        let isDone = try await daemon.world() == scenario.after
        // An engine that was not answered mounts again. A removal may have been finished by the daemon itself meanwhile.
        if !isDone || request.method == .mount {
            let answer = try await daemon.send(request)
            let isGone = request.method == .remove ? try await daemon.world() == scenario.after : false
            if !answer.isSuccess, !isGone { return ["\(request), again: \(answer)"] }
        }
        for (name, holders) in try await daemon.world() {
            for (id, count) in holders { for _ in 0..<count { try await daemon.succeed(.unmount(name, id)) } }
        }
        var faults: [String] = []
        if let own = scenario.data.first, request.method == .remove {
            faults += daemon.dataFaults(own, scenario.setup.first?.options ?? [:])
        }
        for other in scenario.data.dropFirst() where !daemon.hasData(other) { faults.append("the data in \(other) are gone") }
        for name in try await daemon.world().keys { try await daemon.succeed(.remove(name)) }
        if !faults.isEmpty { return faults }
        return await daemon.lastingFaults {
            try await daemon.faults(allowed: [[:]]) + (scenario.isShared ? daemon.catalogueFaults([]) : [])
        }
    }
}

/// What trials need on the host.
extension DaemonHost {
    /// Leaves what a daemon leaves that is killed: a mount without a reference, a folder for the work of a moment, and files half written.
    func leaveWork(of volume: String) async throws {
        let staging = folder + "/run/staging/left"
        let script = """
            set -e
            mkdir -p \(staging) \(place(of: volume))
            mount -t ext4 \(device.device) \(staging)
            mount -t ext4 \(device.device) \(place(of: volume))
            echo half >\(folder)/state/volumes/x.json.new
            echo half >\(folder)/run/references/x.json.new
            """
        let result = try await host.run(["bash", "-c", script])
        guard result.status == 0 else { throw Trouble("\(script): \(result)") }
    }

    func makeData(_ folder: String) throws {
        try FileManager.default.createDirectory(atPath: exported(folder) + "/inner", withIntermediateDirectories: true)
        for name in ["file", "inner/file"] { try "data".write(toFile: "\(exported(folder))/\(name)", atomically: false, encoding: .utf8) }
    }

    func hasData(_ folder: String) -> Bool {
        ["file", "inner/file"].allSatisfy { (try? String(contentsOfFile: "\(exported(folder))/\($0)", encoding: .utf8)) == "data" }
    }

    /// Takes away all but the share's catalogue.
    func emptyData() throws {
        for name in host.names(in: Self.export) where name != ".docker-nfsd" { try FileManager.default.removeItem(atPath: exported(name)) }
    }

    /// What is wrong with a folder that a removal was to archive or to delete.
    func dataFaults(_ folder: String, _ options: [String: String]) -> [String] {
        let parent = folder.split(separator: "/").dropLast().joined(separator: "/")
        let archives = host.names(in: "\(Self.export)/\(parent)").filter { $0.hasPrefix("archived-") }.map { "\(parent)/\($0)" }
        let isThere = FileManager.default.fileExists(atPath: exported(folder))
        switch options["onremove"] {
        case "archive":
            return !isThere && archives.count == 1 && hasData(archives[0]) ? [] : ["\(folder) is there: \(isThere), archives: \(archives)"]
        case "delete": return isThere || !archives.isEmpty ? ["\(folder) is there: \(isThere), archives: \(archives)"] : []
        default: return isThere && archives.isEmpty ? [] : ["\(folder) is there: \(isThere), archives: \(archives)"]
        }
    }
}
