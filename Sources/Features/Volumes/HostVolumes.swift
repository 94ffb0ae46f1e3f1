// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
package import KernelMount
package import LinuxSystem
package import Logging
import SystemPackage

/// The volumes of this host, put together: ``VolumeTable`` says which exist, ``VolumeMounter`` and ``VolumeRemover`` change them. A
/// ``DefinitionAuthority`` and a ``HolderWatch`` say what others want with them.
///
/// What is asked for often is answered from memory. Changes to one volume happen one at a time; volumes do not wait for one another.
package final class HostVolumes: Sendable {
    /// For all that one attempt of a creation does on the share.
    static let creationLimit = Duration.seconds(30)
    /// For all that a removal does on the share; Docker waits 60 s.
    private static let removalLimit = Duration.seconds(55)

    /// How old a reference without an answer must be before it can be dropped. Between a mount and the start of the container's process
    /// nothing but the reference shows that the volume is needed. Seconds.
    private static let unansweredAge = 120

    let state: VolumeState
    private let watch: any HolderWatch
    let authority: any DefinitionAuthority
    let remover: VolumeRemover
    private let mounter: VolumeMounter
    private let reconciliation: Reconciliation
    private let health: HealthWatch
    let chores: VolumeChores
    let logger: Logger

    private var settings: VolumeSettings { state.settings }
    var table: VolumeTable { state.table }
    var locks: VolumeLocks { state.locks }

    /// Reads what is on disk, and compares it with the kernel's mount table. Blocks on local files.
    ///
    /// - Throws: `SystemError` if the folder of the places cannot be made, or a file cannot be read.
    package init(
        _ state: VolumeState, watch: any HolderWatch, authority: any DefinitionAuthority, logger: Logger
    ) throws(SystemError) {
        self.state = state
        self.watch = watch
        self.authority = authority
        self.logger = logger
        chores = VolumeChores(state.locks, logger: logger)
        mounter = VolumeMounter(
            table: state.table, settings: state.settings, exports: state.exports, chores: chores, watch: watch, authority: authority,
            words: state.words, logger: logger)
        let disposal = DataDisposal(
            table: state.table, exports: state.exports, authority: authority, settings: state.settings, words: state.words, logger: logger)
        remover = VolumeRemover(mounter: mounter, disposal: disposal, logger: logger)
        try makeFolders(state.places.folder, mode: 0o700)
        reconciliation = Reconciliation(
            mounter: mounter, locks: state.locks, places: state.places, stagingFolder: state.settings.stagingFolder, logger: logger)
        health = try HealthWatch(state, logger: logger)
        try reconciliation.fillTable(from: state.files)
    }

    /// Undoes what an earlier run began and did not finish. May wait for servers.
    package func tidy() async { await reconciliation.tidy() }

    /// Drops references that an earlier run has stored and not answered, once they are old enough. May wait for that, and for servers.
    ///
    /// - Parameter ending: ends the wait.
    package func releaseUnanswered(olderThan age: Int = unansweredAge, _ ending: Cancellation) async {
        let left = table.records.filter { $0.references.hasOrphans() }
        guard let last = left.compactMap(\.references.orphansSince).max() else { return }
        let now = secondsSinceBoot()
        // The file may be damaged.
        let rest = Duration.seconds(age - min(now - min(max(last, 0), now), age))
        let isOver = try? await BlockingThread.run(named: "volume-unanswered") { ending.sleep(for: rest) }
        if isOver != true { return }
        for name in left.map(\.definition.name) {
            do throws(StorageError) {
                try await locks.exclusively(name) { [mounter] in try mounter.releaseUnanswered(name) }
            } catch {
                logger.error("volume \(name): \(error)")
            }
        }
    }

    /// Looks after servers and mounted volumes until the cancellation.
    package func watchHealth(until ending: Cancellation) async { await health.run(until: ending) }

    /// Does what is left of calls that have been answered. Blocks for some local files, on a thread of its own.
    package func finish() async { try? await BlockingThread.run(named: "volume-chores") { [chores] in chores.doAll() } }

    // MARK: From memory

    package func shown(_ name: String, owner: String) -> VolumeView? {
        let name = VolumeName(name)
        var volume = name.flatMap { table.view(of: $0, owner: owner) }
        if volume != nil, let record = name.flatMap(table.record) {
            for member in health.health(of: record).json.members { volume?.status?[member.key] = member.value }
        }
        // Another host may have created it a moment ago.
        if volume == nil { authority.mayHaveChanged() }
        return volume
    }

    package func shownVolumes(owner: String) -> [VolumeView] {
        authority.mayHaveChanged()
        return table.views(owner: owner)
    }

    private func volume(_ text: String, owner: String) throws(StorageError) -> VolumeName {
        guard let name = VolumeName(text), let definition = table.definition(of: name), definition.owner == owner else {
            throw StorageError(.noSuchVolume, "no such volume: \(text)")
        }
        return name
    }

    // MARK: Changes

    /// Defines a volume. Repeating it with options that mean the same succeeds.
    package func create(_ text: String, options: [String: String], owner: String) async throws(StorageError) {
        guard let name = VolumeName(text) else {
            throw StorageError(.badOption, "volume name is empty or too long; give one of at most 200 letters, digits, ., _ or -")
        }
        for (option, value) in options where value.utf8.count > VolumeOptions.longestValue {
            throw StorageError(
                .badOption, "cannot create volume \(text): option \(option) is longer than \(VolumeOptions.longestValue) bytes")
        }
        let wanted: VolumeOptions
        let share = settings.kind.namesServer(options) ? nil : settings.share
        if options.isEmpty, share == nil {
            throw StorageError(
                .badOption, "cannot create volume \(text): no options given; say what to mount: \(state.words.creation)")
        }
        do {
            wanted = try share?.options(options, of: name, kind: settings.kind) ?? VolumeOptions(options, kind: settings.kind)
            try wanted.source.validate(for: .volume)
        } catch {
            throw StorageError(.badOption, "cannot create volume \(text): \(error)", cause: error)
        }
        let deadline = Deadline(after: settings.limits.mount)
        try await locks.exclusively(name) { [self] cancellation in
            for note in wanted.source.notes { logger.notice("volume \(text): \(note)") }
            let definition = VolumeDefinition(name: name, owner: owner, createdAt: timestamp(), options: wanted, share: share)
            // Before anything is written, here or on a share: from now on nobody removes the directory, or this is refused.
            do throws(StorageError) { try table.beginCreation(of: definition) } catch {
                throw error.prefixed(by: "cannot create volume \(text)")
            }
            defer { table.endCreation(of: name) }
            let existing = table.definition(of: name)
            if authority.decides(about: definition), existing.map(authority.decides) ?? true {
                let retries = ServerRetries(
                    settings, own: wanted.source.retryPeriod(for: .volume), subject: "creating volume \(text)", logger: logger)
                return try retries.run(until: deadline, cancellation) { _ throws(StorageError) in
                    let limit = Deadline(after: Self.creationLimit).earlier(deadline)
                    return try authority.define(definition, acceptsAny: options.isEmpty, until: limit, cancellation)
                }
            }
            if let existing {
                guard let difference = try existing.difference(from: definition, state.words) else { return }
                throw StorageError(
                    .conflict,
                    "volume \(text) exists with other options: \(difference); remove it first (\(state.words.removal) \(text)), its data stay on the server"
                )
            }
            do throws(StorageError) { try table.define(definition) } catch { throw error.prefixed(by: "cannot create volume \(text)") }
            logger.info("volume \(text) created under \(owner): \(wanted.source.text)")
        }
    }

    package func mount(_ text: String, id: String, owner: String) async throws(StorageError) -> String {
        let name = try volume(text, owner: owner)
        defer { watch.referencesChanged() }
        // The caller's own limit also runs while this waits in line.
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

    /// Notes that the caller has got the answer to a mount.
    package func mountAnswered(_ text: String, id: String, owner: String) async {
        guard let name = try? volume(text, owner: owner) else { return }
        // What stays unmarked is looked at after the next start.
        // In memory at once if nobody works on the volume, so that it is not taken for the answer to a later mount of the same ID.
        let isNoted = locks.acquireIfFree(name)
        if isNoted {
            mounter.noteAnswered(name, id: id)
            locks.release(name)
        }
        await chores.run(name) { [mounter] in
            if !isNoted { mounter.noteAnswered(name, id: id) }
            mounter.storeReferences(of: name)
        }
    }

    /// - Parameter wasAnswered: false takes back a mount whose answer its caller did not get.
    package func unmount(_ text: String, id: String, owner: String, wasAnswered: Bool = true) async throws(StorageError) {
        let name = try volume(text, owner: owner)
        // A task of its own: a caller that leaves while this waits in line cancels the answer, not the release.
        let result: Result<Void, StorageError> = await Task { [self] in
            do throws(StorageError) {
                return .success(
                    try await locks.exclusively(name) { [mounter] in try mounter.unmount(name, id: id, wasAnswered: wasAnswered) })
            } catch {
                return .failure(error)
            }
        }.value
        watch.referencesChanged()
        authority.released(name)
        try result.get()
    }

    package func remove(_ text: String, owner: String) async throws(StorageError) {
        let name = try volume(text, owner: owner)
        let deadline = Deadline(after: Self.removalLimit)
        try await locks.exclusively(name) { [remover] in try remover.remove(name, until: deadline) }
    }
}
