// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
public import LinuxSystem
public import Logging
import PrometheusMetrics
import SharedCatalogue
import SystemPackage
import Volumes

/// The volumes of this host for Docker: one driver for each of its names, and what goes on beside their requests.
public final class VolumeDrivers: Sendable {
    let state: VolumeState
    let volumes: HostVolumes
    let engines: EngineWatch
    let shared: SharedDefinitions
    /// nil if the settings leave that out.
    private let failedStarts: FailedStarts?
    /// nil if nobody may read them.
    private let metrics: DaemonMetrics?
    /// Ends what waits outside of a request.
    private let ending: Cancellation

    /// Makes the folders, reads what is on disk and compares it with the kernel's mount table. Blocks on local files.
    ///
    /// - Throws: `SystemError` if a folder of the daemon's own cannot be made or read.
    public init(settings: DaemonSettings, logger: Logger) throws(SystemError) {
        ending = try Cancellation()
        metrics = settings.metrics.map { _ in DaemonMetrics() }
        state = try VolumeState(settings: settings.volumes, words: .docker, places: settings.places, logger: logger)
        engines = try EngineWatch(settings: settings, table: state.table, logger: logger)
        shared = try SharedDefinitions(state, settings: settings.catalogue, ending: ending, logger: logger)
        volumes = try HostVolumes(state, watch: engines, authority: shared, logger: logger)
        failedStarts = try Self.failedStarts(settings, state, engines, ending, logger)
        MountFolderAccess(settings).apply(logger: logger)
    }

    private static func failedStarts(
        _ settings: DaemonSettings, _ state: VolumeState, _ engines: EngineWatch, _ ending: Cancellation, _ logger: Logger
    ) throws(SystemError) -> FailedStarts? {
        guard settings.engine.restartsFailedContainers, let socket = settings.engine.apiSocket else { return nil }
        return try FailedStarts(state, api: EngineAPI(socket: socket, ending: ending), logger: logger) { engines.isServing }
    }

    /// The driver that Docker knows by this name: it sees only the volumes that were created under it.
    public func driver(named name: String) -> NFSVolumeDriver {
        NFSVolumeDriver(
            name: name, volumes: volumes, engines: engines, scope: state.settings.scope, failedStarts: failedStarts,
            meters: metrics?.calls)
    }

    /// The page of metrics, in ``metricsMediaType``. Empty if the settings leave them out.
    ///
    /// - Throws: `SystemError` if /proc cannot be read, or there can be no thread for it.
    public func metricsPage(version: String) async throws -> [UInt8] {
        guard let metrics else { return [] }
        return try await BlockingThread.run(named: "metrics") { [state] in try metrics.page(state, version: version) }
    }

    public static var metricsMediaType: String { PrometheusText.mediaType }

    /// Tidies up, then follows engines and the share's catalogue until ``shutDown()``.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in await volumes.tidy() }
            group.addTask { [self] in await volumes.releaseUnanswered(ending) }
            group.addTask { [self] in await engines.run(until: ending) }
            group.addTask { [self] in await shared.run() }
            group.addTask { [self] in await failedStarts?.run() }
            group.addTask { [self] in await volumes.watchHealth(until: ending) }
        }
        await volumes.finish()
    }

    /// Ends ``run()``.
    public func shutDown() {
        engines.shutDown()
        shared.shutDown()
        failedStarts?.shutDown()
        ending.cancel()
    }
}

extension VolumeSettings {
    /// What other hosts know this one's volumes by.
    var scope: VolumeScope { share == nil ? .local : .global }
}

extension CallerWords {
    /// Docker's.
    static var docker: CallerWords {
        CallerWords(
            owner: "driver name", holder: "container", program: "docker-nfsd",
            creation: "docker volume create -d nfsd --opt server=HOST --opt path=/EXPORT NAME", removal: "docker volume rm",
            inspection: "docker volume inspect", change: "docker-nfsd volume set")
    }
}
