// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import JSON
import Synchronization
import TestSupport
import Testing

/// A real dockerd with the daemon under test beside it, both on a ``PrivateHost``.
///
/// An ext4 file system on a loop device stands in for the NFS server: mounts of it share a superblock, as mounts of one
/// export do, and data outlive the last unmount.
final class DockerEngine: Sendable {
    struct Settings: Sendable {
        /// Containers go on while dockerd is away.
        var liveRestore = false
        /// A ``RecordingProxy`` stands between dockerd and the daemon's socket `nfsd`.
        var isRecorded = false
        var startsDriver = true
    }

    private struct Processes {
        var engine: SpawnedProcess?
        var driver: SpawnedProcess?
    }

    let host: PrivateHost
    let settings: Settings
    /// The block device that stands in for the server.
    let device: String
    private let processes = Mutex(Processes())
    private let recorder = Mutex<RecordingProxy?>(nil)

    static let driverNames = ["nfsd", "docker-nfsd"]
    static let volumesFolder = PrivateHost.folder + "/volumes"
    static let stateFolder = PrivateHost.folder + "/state"
    static let runtimeFolder = PrivateHost.folder + "/runtime"
    static let pluginFolder = "/run/docker/plugins"
    private static let dataRoot = PrivateHost.folder + "/docker"
    /// Where the daemon listens while a proxy has its place.
    private static let hiddenFolder = "/run/hidden-plugins"
    private static let image = "/image.tar"

    private init(host: PrivateHost, device: String, settings: Settings) {
        self.host = host
        self.device = device
        self.settings = settings
    }

    /// Makes all parts, runs the body, and takes the parts away again in reverse order, whatever happened.
    static func with(_ settings: Settings = Settings(), _ body: (DockerEngine) async throws -> Void) async throws {
        let cleanup = Cleanup()
        let failure: (any Error)?
        do {
            let host = try await PrivateHost()
            cleanup.add { try removeScratch(host) }
            cleanup.add { try await host.end() }
            let standIn = try await StandIn(in: host.scratch)
            cleanup.add { standIn.release() }
            let engine = DockerEngine(host: host, device: standIn.device, settings: settings)
            do {
                try await engine.start(cleanup)
                try await body(engine)
            } catch {
                throw Trouble("\(error)\n-- the last words of docker-nfsd:\n\(engine.driverLog.suffix(3000))")
            }
            failure = nil
        } catch {
            failure = error
        }
        await cleanup.run()
        if let failure { throw failure }
    }

    /// DOCKER_NFSD_TEST_KEEP=1 leaves the logs.
    private static func removeScratch(_ host: PrivateHost) throws {
        if ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_KEEP"] == nil { try FileManager.default.removeItem(atPath: host.scratch) }
    }

    private func start(_ cleanup: Cleanup) async throws {
        if settings.isRecorded {
            _ = try await host.run(["mkdir", Self.hiddenFolder])
            let proxy = try RecordingProxy(at: pluginSocket(), to: driverSocket())
            cleanup.add { proxy.end() }
            recorder.withLock { $0 = proxy }
        }
        if settings.startsDriver { try await startDriver() }
        try await startEngine()
        try await Image.write(to: host.scratch + Self.image)
        try await docker("import", host.scratch + Self.image, "busybox")
        try await docker("tag", "busybox", "alpine")
    }

    // MARK: The daemon under test

    private var driverFolder: String { settings.isRecorded ? Self.hiddenFolder : Self.pluginFolder }

    /// Its sockets, as they are called outside. With a proxy the first one is hidden behind it.
    func driverSocket(_ name: String = "nfsd") -> String { host.path("\(driverFolder)/\(name).sock") }
    func pluginSocket(_ name: String = "nfsd") -> String { host.path("\(Self.pluginFolder)/\(name).sock") }

    /// What dockerd has said to the driver `nfsd`, if the settings ask for it.
    var recorded: RecordingProxy { recorder.withLock { $0! } }

    func startDriver() async throws {
        let environment = [
            "DOCKER_NFSD_STATE_DIRECTORY": Self.stateFolder, "DOCKER_NFSD_RUNTIME_DIRECTORY": Self.runtimeFolder,
            "DOCKER_NFSD_MOUNT_DIRECTORY": Self.volumesFolder, "DOCKER_NFSD_SOCKET_DIRECTORY": driverFolder,
            "DOCKER_NFSD_DOCKER_DIRECTORY": Self.dataRoot, "DOCKER_NFSD_LOG_LEVEL": "debug",
            "DOCKER_NFSD_TEST_STAND_IN": "ext4:\(device)",
        ]
        guard let binary = Repository.releaseBinary else { throw Trouble("there is no docker-nfsd to test; make builds it") }
        let driver = try host.start([binary, "serve"], environment: environment, log: "nfsd.log")
        processes.withLock { $0.driver = driver }
        try await eventually("docker-nfsd listens, see \(host.scratch)/nfsd.log") {
            if driver.hasEnded { throw Trouble("docker-nfsd has ended: \(host.log("nfsd.log"))") }
            return Self.driverNames.allSatisfy { UnixSocket.accepts(driverSocket($0)) }
        }
    }

    /// Ends it as systemd does.
    func stopDriver() async throws {
        let status = try await signalDriver(SIGTERM)
        #expect(status == 0, "docker-nfsd ends in order")
    }

    func killDriver() async throws { _ = try await signalDriver(SIGKILL) }

    private func signalDriver(_ signal: Int32) async throws -> Int32 {
        guard let driver = processes.withLock({ $0.driver.take() }) else { throw Trouble("docker-nfsd does not run") }
        kill(try await driver.child(running: "docker-nfsd"), signal)
        return try await driver.end(within: .seconds(20))
    }

    /// What `docker-nfsd WORDS` says.
    func driverCommand(_ words: String...) async throws -> CommandResult {
        let environment = [
            "DOCKER_NFSD_STATE_DIRECTORY=\(Self.stateFolder)", "DOCKER_NFSD_RUNTIME_DIRECTORY=\(Self.runtimeFolder)",
            "DOCKER_NFSD_MOUNT_DIRECTORY=\(Self.volumesFolder)", "DOCKER_NFSD_SOCKET_DIRECTORY=\(driverFolder)",
            "DOCKER_NFSD_DOCKER_DIRECTORY=\(Self.dataRoot)", "DOCKER_NFSD_TEST_STAND_IN=ext4:\(device)",
        ]
        return try await host.run(["env"] + environment + [Repository.releaseBinary!] + words)
    }

    // MARK: dockerd

    private var engineSocket: String { host.scratch + "/docker.sock" }

    /// - Parameter waits: false returns while dockerd is still starting; ``engineIsUp()`` waits later.
    func startEngine(waits: Bool = true) async throws {
        var words = [
            "dockerd", "--data-root", Self.dataRoot, "--exec-root", PrivateHost.folder + "/exec", "--host", "unix://\(engineSocket)",
            "--pidfile", PrivateHost.folder + "/dockerd.pid", "--iptables=false", "--bridge=none", "--exec-opt",
            "native.cgroupdriver=cgroupfs",
            "--cgroup-parent", "/\(host.name)", "--shutdown-timeout", "5", "--debug",
        ]
        if settings.liveRestore { words.append("--live-restore") }
        let engine = try host.start(words, log: "dockerd.log")
        processes.withLock { $0.engine = engine }
        if waits { try await engineIsUp() }
    }

    func engineIsUp() async throws {
        try await eventually("dockerd answers, see \(host.scratch)/dockerd.log", within: .seconds(60)) {
            if processes.withLock({ $0.engine?.hasEnded ?? true }) {
                throw Trouble("dockerd has ended: \(host.log("dockerd.log").suffix(2000))")
            }
            guard UnixSocket.accepts(engineSocket) else { return false }
            return try await runDocker(["version"]).status == 0
        }
    }

    /// Ends it as systemd does; containers end with it, unless it restores them.
    func stopEngine() async throws {
        let status = try await signalEngine(SIGTERM)
        #expect(status == 0, "dockerd ends in order")
    }

    /// Its containerd and its containers live on.
    func killEngine() async throws { _ = try await signalEngine(SIGKILL) }

    func restartEngine() async throws {
        try await stopEngine()
        try await startEngine()
    }

    private func signalEngine(_ signal: Int32) async throws -> Int32 {
        guard let engine = processes.withLock({ $0.engine.take() }) else { throw Trouble("dockerd does not run") }
        kill(try await engine.child(running: "dockerd"), signal)
        return try await engine.end(within: .seconds(30))
    }

    var engineLog: String { host.log("dockerd.log") }
    var driverLog: String { host.log("nfsd.log") }

    // MARK: docker

    /// Runs `docker WORDS`.
    ///
    /// - Returns: what it prints, warnings included, without the last line's end.
    /// - Throws: if it fails.
    @discardableResult
    func docker(_ words: String..., limit: Double = 60) async throws -> String { try await docker(words, limit: limit) }

    @discardableResult
    func docker(_ words: [String], limit: Double = 60) async throws -> String {
        let result = try await runDocker(words, limit: limit)
        guard result.status == 0 else { throw Trouble("docker \(words.joined(separator: " ")): \(result)") }
        return result.output.trimmingCharacters(in: .newlines)
    }

    /// Runs `docker WORDS`, which must fail.
    ///
    /// - Returns: what it prints.
    func failingDocker(_ words: String..., limit: Double = 60) async throws -> String { try await failingDocker(words, limit: limit) }

    func failingDocker(_ words: [String], limit: Double = 60) async throws -> String {
        let result = try await runDocker(words, limit: limit)
        guard result.status != 0, result.status != 124 else {
            throw Trouble("docker \(words.joined(separator: " ")) was to fail: \(result)")
        }
        return result.output.trimmingCharacters(in: .newlines)
    }

    /// The client of the engine's own version, wherever else one may lie.
    func runDocker(_ words: [String], limit: Double = 60) async throws -> CommandResult {
        try await command(
            ["/usr/bin/docker", "--host", "unix://\(engineSocket)"] + words, environment: ["DOCKER_CONFIG": host.scratch], limit: limit)
    }

    /// `docker KIND inspect NAME`, its one element.
    func inspect(_ kind: String, _ name: String) async throws -> JSONValue {
        let text = try await docker(kind, "inspect", name)
        guard let element = try JSONValue(parsing: Array(text.utf8)).arrayValue?.first else { throw Trouble("not a list of one: \(text)") }
        return element
    }
}
