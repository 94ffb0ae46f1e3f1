// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import Synchronization
import SystemPackage
import Volumes

/// Follows the Docker engines of this host: counts their activations, looks up which containers hold references, and says which
/// references are leaks.
final class EngineWatch: HolderWatch {
    /// How old a reference must be before it can be taken for a leak. Between Docker's mount and the start of the container's process
    /// nothing but the reference shows that the volume is needed. Seconds.
    static let leakAge = 120

    private let apiSocket: FilePath?
    private let mountFolder: MountFolderAccess
    private let file: ActivationFile
    private let table: VolumeTable
    private let logger: Logger
    private let containers: DockerContainers
    /// How many engines have introduced themselves to each driver name since the boot.
    private let activations: Mutex<[String: Int]>
    /// The driver names to which an engine has introduced itself, one element for each time.
    private let introductions: AsyncStream<String>
    private let introductionSource: AsyncStream<String>.Continuation
    /// That references have changed. Changes that arrive while the last one is handled are coalesced.
    private let changes: AsyncStream<Void>
    private let changeSource: AsyncStream<Void>.Continuation
    private let serving = Mutex(false)

    /// Reads what an earlier run has counted. Blocks on a local file.
    ///
    /// - Throws: `SystemError` if it is not known which boot this is.
    init(settings: DaemonSettings, table: VolumeTable, logger: Logger) throws(SystemError) {
        apiSocket = settings.engine.apiSocket
        mountFolder = MountFolderAccess(settings)
        self.table = table
        self.logger = logger
        containers = DockerContainers(settings.engine)
        file = try ActivationFile(runtime: settings.volumes.runtimeDirectory)
        activations = Mutex(file.read())
        (introductions, introductionSource) = AsyncStream.makeStream()
        (changes, changeSource) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether an engine is known to answer at its API's socket, and has not begun to end.
    var isServing: Bool { serving.withLock { $0 } }

    // MARK: What happens

    /// An engine has introduced itself to a driver name. Never blocks.
    func activated(_ driver: String) { introductionSource.yield(driver) }

    /// Ends ``run(until:)``, but for the part that ends with its cancellation.
    func shutDown() {
        introductionSource.finish()
        changeSource.finish()
    }

    /// Handles what has happened until ``shutDown()``.
    ///
    /// - Parameter ending: ends the connection to the engine.
    func run(until ending: Cancellation) async {
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in
                for await driver in introductions { await count(driver) }
            }
            group.addTask { [self] in
                referencesChanged()
                for await _ in changes { await lookUpContainers() }
            }
            if let socket = apiSocket {
                var lookup = EngineLookup(socket: socket, drivers: DaemonSettings.driverNames, logger: logger)
                lookup.onChange = { [self] isServing in serving.withLock { $0 = isServing } }
                let ready = lookup
                group.addTask { try? await BlockingThread.run(named: "engine") { ready.run(ending) } }
            }
        }
    }

    private func count(_ driver: String) async {
        let counts = activations.withLock { activations in
            activations[driver, default: 0] += 1
            return activations
        }
        logger.info("an engine has introduced itself to \(driver)")
        let warning: String? = try? await BlockingThread.run(named: "engine") { [self] in
            do throws(SystemError) { try file.write(counts) } catch {
                logger.warning("cannot store that an engine came: \(error)")
            }
            mountFolder.apply(logger: logger)
            return Propagation.problem(mountDirectory: mountFolder.folder.string)
        }
        if let warning { logger.error("\(warning)") }
        referencesChanged()
    }

    /// Docker writes its containers' files a moment after it has mounted, so a few looks are needed.
    private func lookUpContainers() async {
        for pause in [Duration.milliseconds(100), .milliseconds(500), .seconds(2)] {
            let wanted = table.holders
            if Set(table.holderNames.keys) == wanted { return }
            if wanted.isEmpty { return table.nameHolders([:]) }
            try? await Task.sleep(for: pause)
            guard let found = try? await BlockingThread.run(named: "engine-names", { [containers] in containers.namesByMountID() }) else {
                return
            }
            table.nameHolders(found.filter { wanted.contains($0.key) })
        }
    }

    // MARK: HolderWatch

    func activation(of owner: String) -> Int { activations.withLock { $0[owner] ?? 0 } }

    func isStopped(_ holder: String) -> Bool { containers.isStopped(mountID: holder) }

    func areAbandoned(_ references: References, of owner: String) -> Bool {
        references.areLeftOver(activation: activation(of: owner), takenBefore: secondsSinceBoot() - Self.leakAge)
    }

    func areAbandonedBeforeRemoval(_ references: References, of owner: String) -> Bool {
        if references.areLeftOver(activation: activation(of: owner), takenBefore: .max) { return true }
        if references.areLeftOver(activation: .max, takenBefore: secondsSinceBoot() - Self.leakAge) { return true }
        // An engine that could not reach us when a container ended removes the container all the same.
        return !containers.knowsAny(of: references.holders.keys)
    }

    func referencesChanged() { changeSource.yield() }

    func process(holding mount: MountTableEntry) -> Int32? { MountHolders.process(holding: mount) }
}
