// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerVolumes
import Glibc
import KernelMount
import LinuxSystem
import Logging
import NFS
import PluginServer
import StandIn
import SystemPackage
import Volumes

/// The service: builds its parts, answers until a signal comes, and leaves mounts as they are.
enum Daemon {
    static func run(flags: [String: String], file: String?, signals: TerminationSignals) async throws {
        // Folders here and on servers have the modes that are asked for, whatever it was started with.
        umask(0o022)
        let settings = try settings(flags: flags, file: file)
        let level = settings.logLevel
        let logger = Logger(label: "docker-nfsd") { _ in JournalLogHandler(level: level) }
        if let standIn = settings.volumes.kind as? StandIn { logger.warning("\(standIn.fileSystem) stands in for NFS: this is a test") }
        if !EffectiveUser.isRoot { logger.error("not running as root: every mount will be refused by the kernel") }

        let activated = try SocketActivation.takeSockets()
        let volumes = try VolumeDrivers(settings: settings, logger: logger)
        let listeners = DaemonSettings.driverNames.map { name in
            let handed = activated.first { $0.path?.lastComponent?.stem == name }
            var named = logger
            named[metadataKey: "plugin"] = "\(name)"
            return PluginListener(
                name: name, socket: handed.map { .inherited($0.descriptor) } ?? .path(settings.socketDirectory.appending(name + ".sock")),
                service: VolumeService(volumes.driver(named: name), administration: volumes.driver(named: name), logger: named))
        }
        let server = PluginServer(listeners: listeners, logger: logger)
        let metrics = settings.metrics.map { PluginServer.metrics(of: volumes, at: $0, logger: logger) }
        let systemd = ServiceNotification()
        try await withThrowingDiscardingTaskGroup { group in
            try await server.start()
            group.addTask { await volumes.run() }
            // Volumes are worth more than figures about them.
            do { try await metrics?.start() } catch { logger.error("metrics cannot be read: \(error)") }
            logger.info("docker-nfsd \(version) serves \(DaemonSettings.driverNames.joined(separator: " and "))")
            try systemd.ready()
            if let problem = Propagation.problem(mountDirectory: settings.mountDirectory.string) { logger.error("\(problem)") }
            let signal = try await signals.first()
            logger.info("stopping on \(signal); mounts stay")
            try systemd.stopping()
            await metrics?.stop()
            await server.stop()
            volumes.shutDown()
        }
    }

    /// File, environment and flags, in this order of strength.
    static func settings(flags: [String: String], file: String?) throws -> DaemonSettings {
        var environment: [String: String] = [:]
        for setting in DaemonSettings.all { environment[setting.variable] = getenv(setting.variable).map { String(cString: $0) } }
        let chosen = file ?? getenv("DOCKER_NFSD_CONFIG").map { String(cString: $0) }
        var settings = try DaemonSettings(
            file: chosen.map { FilePath($0) } ?? DaemonSettings.defaultFile, fileIsRequired: chosen != nil, environment: environment,
            flags: flags)
        if let text = getenv(standInVariable).map({ String(cString: $0) }) {
            guard var standIn = StandIn(text, reading: NFS(settings.nfs)) else {
                throw StorageError(.badSetting, "\(standInVariable)=\(text): not of the form TYPE:SOURCE")
            }
            standIn.troubles = getenv(troublesVariable).map { FilePath(String(cString: $0)) }
            settings.volumes.kind = standIn
        }
        return settings
    }

    /// For tests on machines whose kernel has no NFS.
    private static let standInVariable = "DOCKER_NFSD_TEST_STAND_IN"
    private static let troublesVariable = "DOCKER_NFSD_TEST_TROUBLES"

    static func fail(_ error: any Error) -> Never {
        let line = "docker-nfsd: \(error)\n"
        _ = line.utf8.withContiguousStorageIfAvailable { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        exit(1)
    }
}
