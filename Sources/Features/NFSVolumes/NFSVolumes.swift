// SPDX-License-Identifier: AGPL-3.0-or-later

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
        var catalogue = CatalogueMemory()
        /// What an earlier run left where exports are mounted for a moment.
        var staleStaging: [String] = []
    }

    let settings: VolumeSettings
    let mounter: NFSMounter
    let files: VolumeFiles
    let table: VolumeTable
    let logger: Logger
    let state = Mutex(State())
    let locks = VolumeLocks()
    let engines: EngineWatch
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
        table = VolumeTable(files: files) { settings.place(of: $0) }
        mounter = NFSMounter(
            limits: settings.limits, method: settings.mountMethod, stagingFolder: settings.runtimeDirectory.appending("staging"),
            standIn: settings.standIn)
        engines = EngineWatch(settings: settings, files: files, table: table, logger: logger)
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
        engines.shutDown()
        readingSource.finish()
        ending.cancel()
    }

    func catalogueMayHaveChanged() { readingSource.yield() }

    // MARK: From memory

    func shown(_ name: String, driver: String) -> VolumeView? {
        let volume = VolumeName(name).flatMap { table.view(of: $0, driver: driver) }
        // Another host may have created it a moment ago.
        if volume == nil { catalogueMayHaveChanged() }
        return volume
    }

    func shownVolumes(driver: String) -> [VolumeView] {
        catalogueMayHaveChanged()
        return table.views(driver: driver)
    }

    // MARK: Changes

    /// Defines a volume. Repeating it with options that mean the same is no failure.
    func create(_ text: String, options: [String: String], driver: String) async throws(StorageError) {
        guard let name = VolumeName(text) else {
            throw StorageError(.badOption, "volume name is empty or too long; give one of at most 200 letters, digits, ., _ or -")
        }
        let wanted: VolumeOptions
        let share = Share.holds(options) ? settings.share : nil
        do {
            wanted = try share?.options(options, of: name) ?? VolumeOptions(options)
            _ = try settings.options(of: wanted)
        } catch {
            throw StorageError(.badOption, "cannot create volume \(text): \(error)", cause: error)
        }
        let deadline = Deadline(after: Self.creationLimit)
        try await locks.exclusively(name) { [self] cancellation in
            let definition = VolumeDefinition(name: name, driver: driver, createdAt: timestamp(), options: wanted, share: share)
            let existing = table.definition(of: name)
            if let share, existing == nil || existing?.share != nil {
                return try createInShare(definition, share, takesAny: options.isEmpty, until: deadline, cancellation)
            }
            if let existing {
                guard let difference = try existing.difference(from: definition) else { return }
                throw StorageError(
                    .conflict,
                    "volume \(text) exists with other options: \(difference); remove it first (docker volume rm \(text)), its data stay on the server"
                )
            }
            do throws(SystemError) { try table.define(definition) } catch {
                throw StorageError(.local, "cannot create volume \(text): its definition cannot be stored: \(error)", cause: error)
            }
            logger.info("volume \(text) created under \(driver): \(wanted.server.sourceLabel):\(wanted.path)")
        }
    }

    func volume(_ text: String, driver: String) throws(StorageError) -> VolumeName {
        guard let name = VolumeName(text), let definition = table.definition(of: name), definition.driver == driver else {
            throw StorageError(.noSuchVolume, "no such volume: \(text)")
        }
        return name
    }
}
