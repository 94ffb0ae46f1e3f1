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
    /// Ends what waits outside of a request.
    let ending: Cancellation
    let shared: SharedDefinitions
    /// For all that a creation does on the share.
    private static let creationLimit = Duration.seconds(30)

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
        ending = try Cancellation()
        let blocked = BlockedShares(logger: logger)
        let marks = OwnMarks(table: table, locks: locks)
        let access = CatalogueAccess(
            settings: settings, mounter: mounter, files: files, table: table, blocked: blocked,
            identities: try files.readIdentities(logger: logger))
        let follower = CatalogueFollower(
            settings: settings, table: table, locks: locks, access: access, marks: marks, ending: ending, logger: logger)
        shared = SharedDefinitions(
            settings: settings, table: table, access: access, follower: follower, marks: marks, blocked: blocked, logger: logger)
        try makeFolders(settings.mountDirectory, mode: 0o711)
        try reconcile()
    }

    /// The driver that Docker knows by this name: it sees only the volumes that were created under it.
    public func driver(named name: String) -> NFSVolumeDriver { NFSVolumeDriver(name: name, volumes: self) }

    /// Ends ``run()``.
    public func shutDown() {
        engines.shutDown()
        shared.follower.shutDown()
        ending.cancel()
    }

    // MARK: From memory

    func shown(_ name: String, driver: String) -> VolumeView? {
        let volume = VolumeName(name).flatMap { table.view(of: $0, driver: driver) }
        // Another host may have created it a moment ago.
        if volume == nil { shared.mayHaveChanged() }
        return volume
    }

    func shownVolumes(driver: String) -> [VolumeView] {
        shared.mayHaveChanged()
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
            if share != nil, existing == nil || existing?.share != nil {
                return try shared.define(definition, acceptsAny: options.isEmpty, until: deadline, cancellation)
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
