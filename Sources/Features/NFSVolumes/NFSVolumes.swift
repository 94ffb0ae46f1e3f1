// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem
public import Logging
import KernelMount
import SystemPackage

/// The volumes of this host, put together: ``VolumeTable`` says which exist, ``VolumeMounter`` and ``VolumeRemover`` change them,
/// ``SharedDefinitions`` and ``EngineWatch`` say what others want with them.
///
/// What is asked for often is answered from memory. Changes to one volume happen one at a time; volumes do not wait for one another.
public final class NFSVolumes: Sendable {
    /// For all that a creation does on the share.
    private static let creationLimit = Duration.seconds(30)
    /// For all that a removal does on the share; Docker waits 60 s.
    private static let removalLimit = Duration.seconds(55)

    let settings: VolumeSettings
    let table: VolumeTable
    let locks = VolumeLocks()
    let engines: EngineWatch
    let shared: SharedDefinitions
    let remover: VolumeRemover
    private let mounter: VolumeMounter
    private let reconciliation: Reconciliation
    private let logger: Logger
    /// Ends what waits outside of a request.
    private let ending: Cancellation

    /// Makes the folders, reads what is on disk and compares it with the kernel's mount table. Blocks on local files.
    ///
    /// - Throws: `SystemError` if a folder of the daemon's own cannot be made or read.
    public init(settings: VolumeSettings, logger: Logger) throws(SystemError) {
        self.settings = settings
        self.logger = logger
        ending = try Cancellation()
        let files = try VolumeFiles(state: settings.stateDirectory, runtime: settings.runtimeDirectory, kind: settings.kind)
        let exports = ExportMounts(settings: settings)
        let stagingFolder = settings.runtimeDirectory.appending("staging")
        table = VolumeTable(files: files) { settings.place(of: $0) }
        engines = try EngineWatch(settings: settings, table: table, logger: logger)
        shared = try SharedDefinitions(
            settings: settings, exports: exports, table: table, locks: locks, ending: ending, logger: logger)
        mounter = VolumeMounter(table: table, exports: exports, watch: engines, authority: shared, logger: logger)
        let disposal = DataDisposal(
            table: table, exports: exports, authority: shared, stagingFolder: stagingFolder, limit: settings.removal, logger: logger)
        remover = VolumeRemover(mounter: mounter, disposal: disposal, logger: logger)
        try makeFolders(settings.mountDirectory, mode: 0o711)
        reconciliation = Reconciliation(
            mounter: mounter, locks: locks, mountDirectory: settings.mountDirectory, stagingFolder: stagingFolder, logger: logger)
        try reconciliation.fillTable(from: files)
    }

    /// The driver that Docker knows by this name: it sees only the volumes that were created under it.
    public func driver(named name: String) -> NFSVolumeDriver { NFSVolumeDriver(name: name, volumes: self) }

    /// Tidies up, then follows engines and the share's catalogue until ``shutDown()``.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in await reconciliation.tidy() }
            group.addTask { [self] in await engines.run(until: ending) }
            group.addTask { [self] in await shared.follower.run() }
        }
    }

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

    private func volume(_ text: String, driver: String) throws(StorageError) -> VolumeName {
        guard let name = VolumeName(text), let definition = table.definition(of: name), definition.driver == driver else {
            throw StorageError(.noSuchVolume, "no such volume: \(text)")
        }
        return name
    }

    // MARK: Changes

    /// Defines a volume. Repeating it with options that mean the same succeeds.
    func create(_ text: String, options: [String: String], driver: String) async throws(StorageError) {
        guard let name = VolumeName(text) else {
            throw StorageError(.badOption, "volume name is empty or too long; give one of at most 200 letters, digits, ., _ or -")
        }
        let wanted: VolumeOptions
        let share = settings.kind.namesServer(options) ? nil : settings.share
        do {
            wanted = try share?.options(options, of: name, kind: settings.kind) ?? VolumeOptions(options, kind: settings.kind)
            try wanted.source.validate(for: .volume)
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
            logger.info("volume \(text) created under \(driver): \(wanted.source.text)")
        }
    }

    func mount(_ text: String, id: String, driver: String) async throws(StorageError) -> String {
        let name = try volume(text, driver: driver)
        defer { engines.referencesChanged() }
        // Docker's own limit also runs while this waits in line.
        let deadline = Deadline(after: settings.limits.mount)
        do throws(StorageError) {
            return try await locks.exclusively(name) { [mounter] cancellation in
                try mounter.mount(name, id: id, until: deadline, cancellation)
            }
        } catch {
            // The server logs the text; this is for those who count.
            logger.notice("volume \(name) could not be mounted (\(error.code))")
            throw error
        }
    }

    func unmount(_ text: String, id: String, driver: String) async throws(StorageError) {
        let name = try volume(text, driver: driver)
        // A task of its own: a caller that leaves while this waits in line cancels the answer, not the release.
        let result: Result<Void, StorageError> = await Task { [self] in
            do throws(StorageError) {
                return .success(try await locks.exclusively(name) { [mounter] in try mounter.unmount(name, id: id) })
            } catch {
                return .failure(error)
            }
        }.value
        engines.referencesChanged()
        shared.released(name)
        try result.get()
    }

    func remove(_ text: String, driver: String) async throws(StorageError) {
        let name = try volume(text, driver: driver)
        let deadline = Deadline(after: Self.removalLimit)
        try await locks.exclusively(name) { [remover] in try remover.remove(name, until: deadline) }
    }
}
