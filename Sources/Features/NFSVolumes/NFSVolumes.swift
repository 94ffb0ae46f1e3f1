// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import LinuxSystem
public import Logging
import NFSMount
import Synchronization
import SystemPackage

/// The volumes of this host: which exist, who has them mounted, and the changes to both.
///
/// What is asked for often (`get`, `list`, `path`) is answered from memory under a lock that nobody holds while waiting.
/// Changes to one volume happen one at a time; volumes do not wait for one another.
public final class NFSVolumes: Sendable {
    struct State: Sendable {
        var records: [VolumeName: VolumeRecord] = [:]
        /// How often an engine has introduced itself to each driver name since the boot.
        var engines: [String: Int] = [:]
        /// Container names by the ID that Docker mounts with.
        var containers: [String: String] = [:]
        var catalogue = CatalogueMemory()
        /// What an earlier run left where exports are mounted for a moment.
        var staleStaging: [String] = []
    }

    let settings: VolumeSettings
    let mounter: NFSMounter
    let files: VolumeFiles
    let logger: Logger
    let state = Mutex(State())
    let locks = VolumeLocks()
    /// The driver name to which an engine has introduced itself.
    let activations: AsyncStream<String>
    /// That references have changed; several changes in a row are one.
    let changes: AsyncStream<Void>
    private let activationSource: AsyncStream<String>.Continuation
    private let changeSource: AsyncStream<Void>.Continuation
    /// That the share's catalogue should be read; several wishes in a row are one.
    let readings: AsyncStream<Void>
    private let readingSource: AsyncStream<Void>.Continuation
    /// Ends what waits outside of a request.
    let ending: Cancellation
    let heldShares: HeldShares
    /// What other hosts of a share know this one by; nil if they could not tell it from another.
    let hostName: String?
    /// Held while what shares' catalogues are known by is stored.
    let keepingIdentities = Mutex(())

    /// Makes the folders, reads what is on disk and compares it with the kernel's mount table. Blocks on local files.
    ///
    /// - Throws: `SystemError` if a folder of the daemon's own cannot be made or read.
    public init(settings: VolumeSettings, logger: Logger) throws(SystemError) {
        self.settings = settings
        self.logger = logger
        files = try VolumeFiles(state: settings.stateDirectory, runtime: settings.runtimeDirectory)
        mounter = NFSMounter(
            limits: settings.limits, method: settings.mountMethod, stagingFolder: settings.runtimeDirectory.appending("staging"),
            standIn: settings.standIn)
        (activations, activationSource) = AsyncStream.makeStream()
        (changes, changeSource) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (readings, readingSource) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        ending = try Cancellation()
        heldShares = HeldShares(logger: logger)
        hostName = settings.node ?? Self.machineID()
        try makeFolders(settings.mountDirectory, mode: 0o711)
        try reconcile()
    }

    /// The driver that Docker knows by this name: it sees only the volumes that were created under it.
    public func driver(named name: String) -> NFSVolumeDriver { NFSVolumeDriver(name: name, volumes: self) }

    /// Ends ``run()``.
    public func shutDown() {
        activationSource.finish()
        changeSource.finish()
        readingSource.finish()
        ending.cancel()
    }

    func engineIntroducedItself(to driver: String) { activationSource.yield(driver) }
    func referencesChanged() { changeSource.yield() }
    func catalogueMayHaveChanged() { readingSource.yield() }

    // MARK: From memory

    func shown(_ name: String, driver: String) -> Volume? {
        guard let name = VolumeName(name) else { return nil }
        let volume: Volume? = state.withLock { state in
            guard let record = state.records[name], record.definition.driver == driver else { return nil }
            return record.shown
        }
        // Another host may have created it a moment ago.
        if volume == nil { catalogueMayHaveChanged() }
        return volume
    }

    func shownVolumes(driver: String) -> [Volume] {
        catalogueMayHaveChanged()
        return state.withLock { state in state.records.values.filter { $0.definition.driver == driver }.map(\.shown) }
    }

    func definition(of name: VolumeName) -> VolumeDefinition? {
        state.withLock { state in state.records[name]?.definition }
    }

    func record(_ name: VolumeName) -> VolumeRecord? { state.withLock { state in state.records[name] } }

    /// Changes a volume's record and what is shown of it.
    func change(_ name: VolumeName, _ body: (inout VolumeRecord) -> Void) {
        let place = settings.place(of: name).string
        state.withLock { state in
            guard var record = state.records[name] else { return }
            body(&record)
            record.render(at: place, containers: state.containers)
            state.records[name] = record
        }
    }

    func engine(of driver: String) -> Int { state.withLock { state in state.engines[driver] ?? 0 } }

    // MARK: Changes

    /// Defines a volume. Repeating it with options that mean the same is no failure.
    func create(_ text: String, options: [String: String], driver: String) async throws(PluginError) {
        guard let name = VolumeName(text) else {
            throw PluginError("volume name is empty or too long; give one of at most 200 letters, digits, ., _ or -")
        }
        let wanted: VolumeOptions
        let share = Share.holds(options) ? settings.share : nil
        do {
            wanted = try share?.options(options, of: name) ?? VolumeOptions(options)
            _ = try settings.options(of: wanted)
        } catch {
            throw PluginError("cannot create volume \(text): \(error)")
        }
        let deadline = Deadline(after: Self.creationLimit)
        try await exclusively(name) { [self] cancellation in
            let definition = VolumeDefinition(name: name, driver: driver, createdAt: timestamp(), options: wanted, share: share)
            let existing = self.definition(of: name)
            if let share, existing == nil || existing?.share != nil {
                return try createInShare(definition, share, takesAny: options.isEmpty, until: deadline, cancellation)
            }
            if let existing {
                guard let difference = try existing.difference(from: definition) else { return }
                throw PluginError(
                    "volume \(text) exists with other options: \(difference); remove it first (docker volume rm \(text)), its data stay on the server"
                )
            }
            do throws(SystemError) { try learn(definition) } catch {
                throw PluginError("cannot create volume \(text): its definition cannot be stored: \(error)")
            }
            logger.info("volume \(text) created under \(driver): \(wanted.server.sourceLabel):\(wanted.path)")
        }
    }

    /// Keeps a definition, on disk first. Blocks; the caller holds the volume's lock.
    func learn(_ definition: VolumeDefinition) throws(SystemError) {
        try files.write(definition)
        let place = settings.place(of: definition.name).string
        state.withLock { state in
            var record = VolumeRecord(definition)
            record.render(at: place, containers: [:])
            state.records[definition.name] = record
        }
    }

    /// Runs blocking work for one volume on a thread of its own, after all earlier work for the same volume.
    func exclusively<Value: Sendable>(_ name: VolumeName, _ body: @escaping @Sendable () throws -> Value) async throws(PluginError) -> Value
    {
        guard await locks.acquire(name) else { throw PluginError("given up because the caller has gone") }
        defer { locks.release(name) }
        do {
            return try await BlockingThread.run(named: "nfsd-volume", body)
        } catch let error as PluginError {
            throw error
        } catch {
            throw PluginError("\(error)")
        }
    }

    /// The same for work that can be ended early, as it is when the caller leaves.
    func exclusively<Value: Sendable>(
        _ name: VolumeName, _ body: @escaping @Sendable (Cancellation) throws -> Value
    ) async throws(PluginError) -> Value {
        let cancellation: Cancellation
        do throws(SystemError) { cancellation = try Cancellation() } catch { throw PluginError("volume \(name): \(error)") }
        let result: Result<Value, PluginError> = await withTaskCancellationHandler {
            do throws(PluginError) {
                return .success(try await exclusively(name) { try body(cancellation) })
            } catch {
                return .failure(error)
            }
        } onCancel: {
            cancellation.cancel()
        }
        return try result.get()
    }

    func volume(_ text: String, driver: String) throws(PluginError) -> VolumeName {
        guard let name = VolumeName(text), let definition = definition(of: name), definition.driver == driver else {
            throw PluginError("no such volume: \(text)")
        }
        return name
    }
}

/// ``NFSVolumes`` under one of the driver's names, as the plugin server calls it.
public struct NFSVolumeDriver: VolumeDriver {
    let name: String
    let volumes: NFSVolumes

    public var scope: VolumeScope { volumes.settings.scope }

    public func get(_ name: String) throws(PluginError) -> Volume {
        guard let volume = volumes.shown(name, driver: self.name) else { throw PluginError("no such volume: \(name)") }
        return volume
    }

    public func list() -> [Volume] { volumes.shownVolumes(driver: name) }

    public func path(of name: String) throws(PluginError) -> String { try get(name).mountpoint }

    public func activated() { volumes.engineIntroducedItself(to: name) }

    public func create(_ name: String, options: [String: String]) async throws(PluginError) {
        try await volumes.create(name, options: options, driver: self.name)
    }

    public func remove(_ name: String) async throws(PluginError) { try await volumes.remove(name, driver: self.name) }

    public func mount(_ name: String, id: String) async throws(PluginError) -> String {
        try await volumes.mount(name, id: id, driver: self.name)
    }

    public func unmount(_ name: String, id: String) async throws(PluginError) {
        try await volumes.unmount(name, id: id, driver: self.name)
    }
}
