// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import Synchronization
import TestSupport

/// A daemon with a real dockerd before it, each of which can be killed while Docker does something.
final class EngineHost: DockerUser {
    /// Who is killed.
    enum Victim: String, Sendable, CaseIterable { case engine = "dockerd", daemon = "docker-nfsd", both = "both" }

    /// When.
    enum Moment: Sendable, CustomStringConvertible {
        /// When so many calls or answers have passed between the two, from 0.
        case passage(Int)
        /// So long after the beginning.
        case time(Duration)

        var description: String {
            switch self {
            case .passage(let number): "passage \(number)"
            case .time(let time): "\(time)"
            }
        }
    }

    /// Something that Docker does with volume `vol`. (Docker takes a name of one letter for a drive.)
    struct Action: Sendable {
        var name: String
        /// Commands that make what it needs.
        var setup: [[String]] = []
        var command: [String]
        /// Whether the volume is there before and after it.
        var volume = (before: true, after: true)
    }

    private static let creation = ["volume", "create", "-d", "nfsd", "--opt", "server=nas", "--opt", "path=/export", "vol"]
    private static let user = [
        "run", "-d", "--name", "user", "--stop-signal", "KILL", "-v", "vol:/data", "busybox", "sleep", "1000000",
    ]
    static let actions = [
        Action(name: "volume create", command: creation, volume: (false, true)),
        Action(name: "run to its end", setup: [creation], command: ["run", "--rm", "-v", "vol:/data", "busybox", "true"]),
        Action(name: "run", setup: [creation], command: user),
        Action(
            name: "run beside another", setup: [creation, user],
            command: ["run", "-d", "--name", "second", "-v", "vol:/data", "busybox", "sleep", "1000000"]),
        Action(name: "stop", setup: [creation, user], command: ["stop", "user"]),
        Action(name: "rm of a container", setup: [creation, user], command: ["rm", "-f", "user"]),
        Action(name: "volume rm", setup: [creation], command: ["volume", "rm", "vol"], volume: (true, false)),
    ]

    let daemon: DaemonHost
    let dockerd: Dockerd
    private let gate: CallGate

    private init(_ daemon: DaemonHost, _ dockerd: Dockerd, _ gate: CallGate) {
        (self.daemon, self.dockerd, self.gate) = (daemon, dockerd, gate)
    }

    static func with(_ body: (EngineHost) async throws -> Void) async throws {
        try await DaemonHost.with(1, DaemonHost.Settings(engineFolder: Dockerd.dataRoot)) { hosts in
            let daemon = hosts[0]
            let gate = try CallGate(at: daemon.host.path(Dockerd.pluginFolder + "/nfsd.sock"), to: daemon.socket)
            defer { gate.end() }
            try await daemon.start()
            let dockerd = Dockerd(on: daemon.host, Dockerd.Settings())
            try await dockerd.start()
            try await dockerd.importImage("busybox")
            // What volumes hold must outlive all of it.
            try Self.content.write(toFile: daemon.exported("file"), atomically: false, encoding: .utf8)
            try await body(EngineHost(daemon, dockerd, gate))
        }
    }

    private static let content = String(repeating: "what is on the server\n", count: 100)

    // MARK: One trial

    struct Trial: Sendable {
        var passages: [CallGate.Passage] = []
        /// At what somebody was killed; nil if it was over before.
        var hit: String?
        var took = Duration.zero
        var faults: [String] = []
    }

    /// Does something while somebody is killed, starts that one again, and looks at what has become of it.
    ///
    /// - Parameter moment: nil lets nobody be killed.
    func trial(_ action: Action, _ victim: Victim, at moment: Moment?) async throws -> Trial {
        for command in action.setup { try await docker(command) }
        guard let process = daemon.process else { throw Trouble("the daemon does not run") }
        let engine = try await dockerd.processID()
        let victims = victim == .engine ? [engine] : victim == .daemon ? [process] : [engine, process]
        if case .passage(let number) = moment { gate.arm(at: number, killing: victims) } else { gate.arm(at: nil, killing: []) }
        let began = ContinuousClock.now
        let isDone = Mutex(false)
        async let ended: CommandResult = {
            defer { isDone.withLock { $0 = true } }
            return try await runDocker(action.command)
        }()
        var trial = Trial()
        if case .time(let time) = moment {
            try await Task.sleep(until: began + time)
            if !isDone.withLock({ $0 }) {
                for victim in victims { kill(victim, SIGKILL) }
                trial.hit = "time"
            }
        } else {
            try await eventually("it is over or somebody is killed", within: .seconds(60)) { isDone.withLock { $0 } || gate.isHit }
        }
        let hit = gate.isHit
        if hit || trial.hit != nil { try await startAgain(victim) }
        let result = try await ended
        trial.took = ContinuousClock.now - began
        let passed = gate.disarm()
        trial.passages = passed.passages
        if let passage = passed.hit { trial.hit = "\(passage)" }
        // One that came after the last look.
        if !hit, passed.hit != nil { try await startAgain(victim) }
        if moment == nil, result.status != 0 { trial.faults.append("\(result)") }
        // If a driver does not answer the second of the two questions about a volume that Docker asks before a removal, Docker takes the
        // volume for one that is gone, asks for no removal and says that it was removed (moby, volume/service/service.go).
        let isRemovalUnasked = trial.hit != nil && victim == .daemon && !action.volume.after
        trial.faults += try await faults(after: action, isDone: result.status == 0 && !isRemovalUnasked)
        return trial
    }

    /// As systemd has it: docker-nfsd first.
    private func startAgain(_ victim: Victim) async throws {
        if victim != .engine {
            await daemon.kill()
            try await daemon.start()
        }
        if victim != .daemon {
            try await dockerd.hasBeenKilled()
            try await dockerd.start()
        }
    }

    // MARK: What must be true afterwards

    private func faults(after action: Action, isDone: Bool) async throws -> [String] {
        var faults: [String] = []
        let listed = try await docker("volume", "ls", "--quiet")
        let allowed = isDone ? [action.volume.after] : [action.volume.before, action.volume.after]
        if !allowed.map({ $0 ? "vol" : "" }).contains(listed) { faults.append("volumes: \"\(listed)\"") }
        faults += await daemon.lastingFaults { try await self.ownershipFaults() }
        if listed == "vol" {
            let read = try await runDocker(["run", "--rm", "-v", "vol:/data", "busybox", "cat", "/data/file"])
            if read.status != 0 || read.output != Self.content { faults.append("a container reads \(read)") }
        }
        for id in try await docker("ps", "--all", "--quiet").split(separator: "\n") {
            let removed = try await runDocker(["rm", "--force", "--volumes", String(id)])
            // Another removal of it may have been cut short.
            if removed.status != 0, try await runDocker(["inspect", String(id)]).status == 0 { faults.append("rm: \(removed)") }
        }
        if listed == "vol" {
            let removed = try await runDocker(["volume", "rm", "vol"])
            if removed.status != 0 { faults.append("volume rm: \(removed)") }
        }
        faults += await daemon.lastingFaults { try await self.remains() }
        return faults
    }

    /// Of mounts without a reference, and of containers that run without one.
    private func ownershipFaults() async throws -> [String] {
        var faults: [String] = []
        let world = try await daemon.world()
        let mounted = try host.mountPoints(below: daemon.folder)
        if !mounted.isEmpty, world["vol"]?.isEmpty ?? true { faults.append("mounted without a reference: \(mounted)") }
        let running = try await docker("ps", "--quiet", "--filter", "volume=vol").split(separator: "\n").count
        let held = world["vol"]?.values.reduce(0, +) ?? 0
        if held < running { faults.append("\(running) containers run, and \(held) references are there") }
        if running > 0, mounted.count != 1 { faults.append("\(running) containers run, mounted is \(mounted)") }
        if running > 0 { faults += try await localFaults() }
        return faults
    }

    /// Whether what containers see is the server's.
    private func localFaults() async throws -> [String] {
        try await docker("ps", "--quiet", "--filter", "volume=vol").split(separator: "\n").map(String.init).asyncFlatMap { id in
            let read = try await self.runDocker(["exec", id, "cat", "/data/file"])
            return read.output == Self.content ? [] : ["container \(id) sees \(read)"]
        }
    }

    private func remains() async throws -> [String] {
        guard daemon.process != nil else { return ["the daemon has ended"] }
        var faults: [String] = []
        let mounted = try host.mountPoints(below: daemon.folder)
        if !mounted.isEmpty { faults.append("still mounted: \(mounted)") }
        for folder in ["mounts", "state/volumes", "state/damaged", "run/references", "run/staging"] {
            let names = host.names(in: "\(daemon.folder)/\(folder)")
            if !names.isEmpty { faults.append("left in \(folder): \(names)") }
        }
        if host.names(in: DaemonHost.export) != ["file"] { faults.append("the export has \(host.names(in: DaemonHost.export))") }
        if try String(contentsOfFile: daemon.exported("file"), encoding: .utf8) != Self.content { faults.append("the file has changed") }
        let working = host.processes().map(\.name).filter { $0.hasPrefix("nfsd-") }
        if !working.isEmpty { faults.append("processes: \(working)") }
        return faults
    }
}

extension Sequence {
    fileprivate func asyncFlatMap<Value>(_ body: (Element) async throws -> [Value]) async rethrows -> [Value] {
        var all: [Value] = []
        for element in self { all += try await body(element) }
        return all
    }
}
