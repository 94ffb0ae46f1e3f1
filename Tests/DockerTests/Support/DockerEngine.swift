// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

/// A real dockerd with the daemon under test beside it, both on a ``PrivateHost``.
///
/// An ext4 file system on a loop device stands in for the NFS server: mounts of it share a superblock, as mounts of one
/// export do, and data outlive the last unmount.
final class DockerEngine: DockerUser {
    struct Settings: Sendable {
        /// Containers go on while dockerd is away.
        var liveRestore = false
        /// A ``RecordingProxy`` stands between dockerd and the daemon's socket `nfsd`.
        var isRecorded = false
        var startsDriver = true
        /// The daemon may call the engine, too. Otherwise the engine hears only of what a test does.
        var isCalledByDriver = false
        /// The daemon's default share.
        var share: String?
        /// Further settings of the daemon, as variables of its environment.
        var variables: [String: String] = [:]
    }

    let dockerd: Dockerd
    let settings: Settings
    /// The block device that stands in for the server.
    let device: String
    private let driver = Mutex<SpawnedProcess?>(nil)
    private let recorder = Mutex<RecordingProxy?>(nil)

    static let driverNames = ["nfsd", "docker-nfsd"]
    static let volumesFolder = PrivateHost.folder + "/volumes"
    static let stateFolder = PrivateHost.folder + "/state"
    static let runtimeFolder = PrivateHost.folder + "/runtime"
    /// Has a file for each server that does not answer.
    private static let troublesFolder = PrivateHost.folder + "/troubles"
    static let pluginFolder = Dockerd.pluginFolder
    /// Where the daemon listens while a proxy has its place.
    private static let hiddenFolder = "/run/hidden-plugins"

    private init(host: PrivateHost, device: String, settings: Settings) {
        dockerd = Dockerd(on: host, Dockerd.Settings(liveRestore: settings.liveRestore))
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
            let standIn = try await StandInDevice(in: host.scratch)
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
        try await dockerd.importImage("busybox", "alpine")
    }

    // MARK: The daemon under test

    private var driverFolder: String { settings.isRecorded ? Self.hiddenFolder : Self.pluginFolder }

    /// Its sockets, as they are called outside. With a proxy the first one is hidden behind it.
    func driverSocket(_ name: String = "nfsd") -> String { host.path("\(driverFolder)/\(name).sock") }
    func pluginSocket(_ name: String = "nfsd") -> String { host.path("\(Self.pluginFolder)/\(name).sock") }

    /// What dockerd has said to the driver `nfsd`, if the settings ask for it.
    var recorded: RecordingProxy { recorder.withLock { $0! } }

    func startDriver() async throws {
        var environment = [
            "DOCKER_NFSD_ENGINE_SOCKET": settings.isCalledByDriver ? dockerd.socket : "none",
            "DOCKER_NFSD_STATE_DIRECTORY": Self.stateFolder, "DOCKER_NFSD_RUNTIME_DIRECTORY": Self.runtimeFolder,
            "DOCKER_NFSD_MOUNT_DIRECTORY": Self.volumesFolder, "DOCKER_NFSD_SOCKET_DIRECTORY": driverFolder,
            "DOCKER_NFSD_DOCKER_DIRECTORY": Dockerd.dataRoot, "DOCKER_NFSD_LOG_LEVEL": "debug",
            "DOCKER_NFSD_TEST_STAND_IN": "ext4:\(device)", "DOCKER_NFSD_TEST_TROUBLES": Self.troublesFolder,
        ].merging(settings.variables) { $1 }
        environment["DOCKER_NFSD_SHARE"] = settings.share
        guard let binary = Repository.releaseBinary else { throw Trouble("there is no docker-nfsd to test; make builds it") }
        let started = try host.start([binary, "serve"], environment: environment, log: "nfsd.log")
        driver.withLock { $0 = started }
        try await eventually("docker-nfsd listens, see \(host.scratch)/nfsd.log") {
            if started.hasEnded { throw Trouble("docker-nfsd has ended: \(host.log("nfsd.log"))") }
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
        guard let ending = driver.withLock({ $0.take() }) else { throw Trouble("docker-nfsd does not run") }
        kill(try await ending.child(running: "docker-nfsd"), signal)
        return try await ending.end(within: .seconds(20))
    }

    /// What is mounted goes on; nothing new can be.
    func setServer(isAway: Bool) async throws {
        let file = "\(Self.troublesFolder)/storage.example"
        let words = isAway ? ["sh", "-ec", "mkdir -p \(Self.troublesFolder); echo silent 10 >\(file)"] : ["rm", file]
        let result = try await host.run(words)
        guard result.status == 0 else { throw Trouble("\(words): \(result)") }
    }

    /// What `docker-nfsd WORDS` says.
    func driverCommand(_ words: String...) async throws -> CommandResult {
        let environment = [
            "DOCKER_NFSD_STATE_DIRECTORY=\(Self.stateFolder)", "DOCKER_NFSD_RUNTIME_DIRECTORY=\(Self.runtimeFolder)",
            "DOCKER_NFSD_MOUNT_DIRECTORY=\(Self.volumesFolder)", "DOCKER_NFSD_SOCKET_DIRECTORY=\(driverFolder)",
            "DOCKER_NFSD_DOCKER_DIRECTORY=\(Dockerd.dataRoot)", "DOCKER_NFSD_TEST_STAND_IN=ext4:\(device)",
        ]
        return try await host.run(["env"] + environment + [Repository.releaseBinary!] + words)
    }

    var driverLog: String { host.log("nfsd.log") }
}
