// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import Synchronization
import TestSupport
import Testing

/// A daemon as a process, on a host of its own: mounts, processes and `/run` are not those of this machine. An ext4 file system on a
/// loop device stands in for the server.
final class DaemonHost: Sendable {
    struct Settings: Sendable {
        /// The default share.
        var share: String?
        /// Seconds between two looks into its catalogue.
        var refresh = 3600
        /// Docker's data root, inside; nil for one without an engine.
        var engineFolder: String?
        /// A file with a file system that is the export; else it is a new one.
        var image: String?
        /// What lasts is on the export, too.
        var stateIsOnExport = false
    }

    private struct State {
        var daemon: (process: SpawnedProcess, id: pid_t)?
        /// The folders of a new round are empty.
        var round = 0
    }

    let host: PrivateHost
    let device: StandInDevice
    let settings: Settings
    private let state = Mutex(State())

    /// Where the whole export can be seen.
    static let export = PrivateHost.folder + "/export"
    /// Names the device for the daemon. Without it, it is as if the server were away.
    static let server = PrivateHost.folder + "/server"

    private init(host: PrivateHost, device: StandInDevice, settings: Settings) {
        self.host = host
        self.device = device
        self.settings = settings
    }

    /// Makes hosts with one export between them, runs the body, and takes all away again, whatever happened.
    static func with(_ count: Int = 1, _ settings: Settings = Settings(), _ body: ([DaemonHost]) async throws -> Void) async throws {
        let cleanup = Cleanup()
        var failure: (any Error)?
        do {
            var hosts: [DaemonHost] = []
            var device: StandInDevice?
            for number in 0..<count {
                let host = try await PrivateHost()
                cleanup.add { try FileManager.default.removeItem(atPath: host.scratch) }
                cleanup.add { try await host.end() }
                if device == nil {
                    let made =
                        if let image = settings.image { try await StandInDevice(file: image) } else {
                            try await StandInDevice(in: host.scratch)
                        }
                    cleanup.add { made.release() }
                    device = made
                }
                let daemon = DaemonHost(host: host, device: device!, settings: settings)
                try await daemon.prepare(number)
                hosts.append(daemon)
            }
            try await body(hosts)
        } catch {
            failure = error
        }
        await cleanup.run()
        if let failure { throw failure }
    }

    private func prepare(_ number: Int) async throws {
        let script = """
            set -e
            mkdir \(Self.export)
            mount -t ext4 \(device.device) \(Self.export)
            ln -s \(device.device) \(Self.server)
            printf '%032x\\n' \(number + 1) >/etc/machine-id
            """
        let result = try await host.run(["bash", "-c", script])
        guard result.status == 0 else { throw Trouble("the export cannot be mounted: \(result)") }
        try beginRound()
    }

    // MARK: Places

    /// The folder of the daemon's folders, inside.
    var folder: String { "\(PrivateHost.folder)/\(state.withLock { $0.round })" }
    var stateFolder: String { settings.stateIsOnExport ? Self.export + "/state" : folder + "/state" }
    var socket: String { host.path("\(folder)/nfsd.sock") }
    /// Of a volume, inside.
    func place(of name: String) -> String { "\(folder)/mounts/\(name)" }
    func exported(_ path: String) -> String { host.path("\(Self.export)/\(path)") }
    var log: String { host.log("daemon.log") }

    /// Ends the daemon, takes away what is mounted and what is on the export, and goes on with new folders.
    func startAgainFromNothing() async throws {
        await kill()
        for place in try host.mountPoints(below: folder).reversed() { _ = try await host.run(["umount", "-l", place]) }
        try emptyExport()
        try beginRound()
    }

    private func beginRound() throws {
        state.withLock { $0.round += 1 }
        try FileManager.default.createDirectory(atPath: host.path(folder), withIntermediateDirectories: false)
    }

    /// As after a power cut: the export has this content, and what does not last is gone.
    func startAgain(with content: [UInt8]) async throws {
        await kill()
        let places = try host.mountPoints(below: PrivateHost.folder).filter { $0 == Self.export || $0.hasPrefix(folder) }
        _ = try await host.run(["umount", "-l"] + places.reversed())
        try device.write(content)
        let mounted = try await host.run(["mount", "-t", "ext4", device.device, Self.export])
        guard mounted.status == 0 else { throw Trouble("the export cannot be mounted: \(mounted)") }
        try beginRound()
        try await start()
    }

    func emptyExport() throws {
        for name in host.names(in: Self.export) { try FileManager.default.removeItem(atPath: exported(name)) }
    }

    /// What is mounted already goes on; nothing new can be.
    func setServer(isAway: Bool) throws {
        let (shown, hidden) = (host.path(Self.server), host.path(Self.server) + ".away")
        guard rename(isAway ? shown : hidden, isAway ? hidden : shown) == 0 else {
            throw Trouble("rename: \(String(cString: strerror(errno)))")
        }
    }

    /// Has a server not answer.
    ///
    /// - Parameter trouble: the code of the failure, and for how many milliseconds it is waited for.
    func setTrouble(_ trouble: String, of server: String) throws {
        let troubles = host.path(folder + "/troubles")
        try FileManager.default.createDirectory(atPath: troubles, withIntermediateDirectories: true)
        try trouble.write(toFile: "\(troubles)/\(server)", atomically: true, encoding: .utf8)
    }

    // MARK: The daemon

    private var environment: [String: String] {
        var variables = [
            "DOCKER_NFSD_ENGINE_SOCKET": "none", "DOCKER_NFSD_STATE_DIRECTORY": stateFolder,
            "DOCKER_NFSD_RUNTIME_DIRECTORY": folder + "/run", "DOCKER_NFSD_MOUNT_DIRECTORY": folder + "/mounts",
            "DOCKER_NFSD_SOCKET_DIRECTORY": folder, "DOCKER_NFSD_DOCKER_DIRECTORY": settings.engineFolder ?? folder + "/docker",
            "DOCKER_NFSD_TEST_STAND_IN": "ext4:\(Self.server)", "DOCKER_NFSD_TEST_TROUBLES": folder + "/troubles",
            "DOCKER_NFSD_SHARE_REFRESH": String(settings.refresh),
        ]
        variables["DOCKER_NFSD_SHARE"] = settings.share
        return variables
    }

    /// The number of the daemon's process outside; nil if it does not run.
    var process: pid_t? {
        state.withLock { state in
            guard let daemon = state.daemon, !daemon.process.hasEnded else { return nil }
            return daemon.id
        }
    }

    /// Starts the daemon and waits until it answers.
    ///
    /// - Throws: `Trouble` if it ends.
    func start() async throws {
        let started = try host.start([Programs.daemon, "serve"], environment: environment, log: "daemon.log")
        guard try await waitUntilItAnswers(started) else { throw Trouble("the daemon has ended:\n\(log.suffix(2000))") }
        let id = try await started.child(running: "docker-nfsd")
        state.withLock { $0.daemon = (started, id) }
    }

    /// Starts the daemon under the injector, and ends it a while later.
    ///
    /// - Returns: the points that were counted, or the one that was hit.
    func tryToStart(calls: String, at place: Int, _ action: FaultInjector.Action) async throws -> [InjectionPoint] {
        let injector = try await FaultInjector.start(
            [Programs.daemon, "serve"], on: host, environment: environment, calls: calls, at: place, action, log: "daemon.log")
        let points = try await injector.points(quiet: 400)
        for process in host.outsideNumbers(named: "docker-nfsd") { Glibc.kill(process, SIGKILL) }
        try await injector.end()
        return points
    }

    /// - Returns: whether it answers, and has not ended.
    private func waitUntilItAnswers(_ process: SpawnedProcess) async throws -> Bool {
        var answers = false
        try await eventually("the daemon answers or ends") {
            answers = UnixSocket.accepts(socket)
            return answers || process.hasEnded
        }
        return answers
    }

    /// Kills the daemon if it runs, and waits for its end.
    func kill() async {
        guard let daemon = state.withLock({ $0.daemon.take() }) else { return }
        if !daemon.process.hasEnded { Glibc.kill(daemon.id, SIGKILL) }
        _ = try? await daemon.process.end(within: .seconds(20))
    }

    /// Stops the daemon and lets it go on.
    func pause(for length: Duration) async throws {
        guard let daemon = state.withLock({ $0.daemon }) else { return }
        Glibc.kill(daemon.id, SIGSTOP)
        try await Task.sleep(for: length)
        Glibc.kill(daemon.id, SIGCONT)
        // nsenter(1) has stopped itself with its child.
        daemon.process.signal(SIGCONT)
    }

    // MARK: Calls

    /// Sends a request on a thread of its own.
    func send(_ request: PluginRequest, limit: Int = 110) async throws -> PluginRequest.Answer {
        let socket = socket
        return try await blocking { try request.send(to: socket, limit: limit) }
    }

    /// - Throws: `Trouble` unless it succeeds.
    @discardableResult
    func succeed(_ request: PluginRequest) async throws -> JSONValue {
        let answer = try await send(request)
        guard let document = answer.document else { throw Trouble("\(request): \(answer)") }
        return document
    }
}
