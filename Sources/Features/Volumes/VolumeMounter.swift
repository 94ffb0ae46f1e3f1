// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import KernelMount
import SystemPackage

/// Mounts volumes with their first reference and unmounts them with their last.
///
/// All methods block, and their caller holds the volume's lock.
struct VolumeMounter: Sendable {
    let table: VolumeTable
    let settings: VolumeSettings
    let exports: ExportMounts
    let chores: VolumeChores
    let watch: any HolderWatch
    let authority: any DefinitionAuthority
    let words: CallerWords
    let logger: Logger

    // MARK: References

    /// Adds a reference, and mounts the volume if that is the first one.
    ///
    /// - Returns: where the volume is mounted.
    /// - Throws: `StorageError`; the reference has not been added then.
    func mount(
        _ name: VolumeName, id: String, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) -> String {
        guard let record = table.record(name) else { throw StorageError(.noSuchVolume, "no such volume: \(name)") }
        if let busy = record.busy { throw StorageError(.stuck, "volume \(name) cannot be mounted now: \(busy)") }
        guard record.references.hasRoom(for: id) else {
            throw StorageError(
                .inUse,
                "volume \(name) has \(References.mostHolders) holders, more than any engine has \(words.holder)s; see who holds it (\(words.inspection) \(name))"
            )
        }
        if try !isMounted(record) {
            let definition = record.definition
            let retries = ServerRetries(
                settings, own: definition.options.source.retryPeriod(for: .volume), subject: "mounting volume \(name)", logger: logger)
            try retries.run(until: deadline, cancellation) { mayWait throws(StorageError) in
                try authority.prepareMount(of: definition, until: deadline, cancellation)
                try mountInKernel(definition, mayWait: mayWait, until: deadline, cancellation)
            }
        }
        applyCreation(of: record.definition)
        // What is outdated may have become so just now.
        var references = table.record(name)?.references ?? record.references
        if references.isHeld(by: id), watch.isStopped(id) {
            // An engine that was killed has not unmounted, and mounts with the same ID when its container starts again. For a
            // container that runs, the same is a copy of files out of it.
            logger.notice("volume \(name): what \(id) holds is dropped; its \(words.holder) did not run any more")
            references.releaseAll(of: id)
        }
        if references.hasOrphans(of: id), !isUsedElsewhere(record) {
            // The engine asks again for what an earlier run did not answer.
            logger.notice("volume \(name): a mount for \(id) that was not answered before the restart is dropped")
            references.dropOrphans(of: id)
        }
        references.retain(id, activation: watch.activation(of: record.definition.owner), now: secondsSinceBoot())
        references.markUnanswered(id)
        do throws(SystemError) { try table.store(references, of: name) } catch {
            let failure = StorageError(.local, "cannot mount volume \(name): its reference cannot be stored: \(error)", cause: error)
            guard record.references.isEmpty else { throw failure }
            do throws(StorageError) { try unmountInKernel(name) } catch { throw failure.followed(by: error) }
            throw failure
        }
        if cancellation.isCancelled {
            // An engine sends no unmount for a mount whose answer it did not wait for.
            try unmount(name, id: id, wasAnswered: false)
            throw StorageError(.cancelled, "mounting volume \(name) was undone because the caller has gone")
        }
        return table.place(of: name).string
    }

    /// Notes that the caller has got the answer to a mount: from then on only a release ends the reference.
    /// In memory only; does not block.
    func noteAnswered(_ name: VolumeName, id: String) { table.change(name) { $0.references.markAnswered(id) } }

    /// Writes a volume's references as they are in memory. Those of one that is not held are not on disk.
    func storeReferences(of name: VolumeName) {
        guard let references = table.record(name)?.references, !references.isEmpty else { return }
        replace(references, of: name)
    }

    /// Drops references that an earlier run did not answer, if nobody else has the volume mounted; else they are taken for answered.
    ///
    /// - Throws: `StorageError` if the volume is still mounted, and nothing holds it.
    func releaseUnanswered(_ name: VolumeName) throws(StorageError) {
        guard let record = table.record(name), record.references.hasOrphans() else { return }
        var references = record.references
        if isUsedElsewhere(record) { references.keepOrphans() } else { references.dropOrphans() }
        if references.total < record.references.total {
            let count = record.references.total - references.total
            logger.notice(
                "volume \(name): \(count) references are dropped; they were not answered before the restart, and nobody uses them")
        }
        replace(references, of: name)
        if references.isEmpty { try unmountInKernel(name) }
    }

    private func isUsedElsewhere(_ record: VolumeRecord) -> Bool { record.mount.flatMap(watch.process(holding:)) != nil }

    /// Takes a reference back, and unmounts the volume if that was the last one. An ID that holds nothing is not an error.
    ///
    /// - Parameter wasAnswered: false if the caller did not get the answer to the mount that is taken back.
    /// - Throws: `StorageError` if the volume is still mounted; the reference is taken back in any case.
    func unmount(_ name: VolumeName, id: String, wasAnswered: Bool = true) throws(StorageError) {
        guard let record = table.record(name) else { throw StorageError(.noSuchVolume, "no such volume: \(name)") }
        var references = record.references
        if !references.release(id, wasAnswered: wasAnswered) {
            logger.info("volume \(name): nothing to release for \(id)")
            if !references.isEmpty || !record.isMounted { return }
        }
        if watch.areAbandoned(references, of: record.definition.owner), let mount = record.mount, watch.process(holding: mount) == nil {
            logger.notice("volume \(name): \(references.total) references of an engine that has ended are dropped; no process uses them")
            references.releaseAll()
        }
        replace(references, of: name)
        applyCreation(of: record.definition)
        guard references.isEmpty else { return }
        do throws(StorageError) { try unmountInKernel(name) } catch { throw error.prefixed(by: "volume \(name)") }
    }

    /// Replaces a volume's references. That they cannot be stored is only logged.
    func replace(_ references: References, of name: VolumeName) {
        do throws(SystemError) { try table.replace(references, of: name) } catch {
            logger.error("volume \(name): its references cannot be stored: \(error)")
        }
    }

    // MARK: The kernel

    /// Whether a volume's mount is there and of use. One that is of no use is unmounted.
    private func isMounted(_ record: VolumeRecord) throws(StorageError) -> Bool {
        let name = record.definition.name
        let place = table.place(of: name)
        guard let present = try currentMount(of: name) else {
            if record.isMounted { logger.warning("volume \(name) was unmounted by somebody else at \(place); mounting it again") }
            return false
        }
        if !record.references.isEmpty, exports.isStale(present) { return try takeOffStale(record, place) }
        if !record.references.isEmpty, isWhole(present, of: record.definition) { return true }
        // A mount that was cut short left it; it may be the export in the place of a subdirectory of it.
        logger.notice("volume \(name): what is mounted at \(place) is of no use; unmounting it first")
        do throws(StorageError) { try unmountInKernel(name) } catch { throw error.prefixed(by: "cannot mount volume \(name)") }
        return false
    }

    /// Takes off what the server does not have any more, and keeps the references. Containers have mounts of their own, which nobody can
    /// repair.
    ///
    /// - Returns: false, for the volume is not mounted afterwards.
    private func takeOffStale(_ record: VolumeRecord, _ place: FilePath) throws(StorageError) -> Bool {
        let name = record.definition.name
        let names = table.holderNames
        let holders = record.references.holders.keys.sorted().map { names[$0] ?? $0 }.joined(separator: ", ")
        logger.warning(
            "volume \(name): the server does not have any more what is mounted at \(place) (ESTALE); mounting it again; until they start again, these keep the old mount: \(words.holder) \(holders)"
        )
        do throws(StorageError) { try unmountInKernel(name) } catch { throw error.prefixed(by: "cannot mount volume \(name)") }
        var references = record.references
        references.markOutdated()
        replace(references, of: name)
        return false
    }

    /// The volume's mount as the kernel has it; the record says the same afterwards.
    private func currentMount(of name: VolumeName) throws(StorageError) -> MountTableEntry? {
        do throws(SystemError) {
            let entry = try MountTable.topmost(at: table.place(of: name).string)
            if let entry, !exports.isOurs(entry) {
                throw SystemError(
                    "mount", .resourceBusy, on: entry.mountPoint, hint: "\(entry.fileSystem) of somebody else is mounted there: unmount it")
            }
            if table.record(name)?.mount != entry { table.change(name) { $0.mount = entry } }
            return entry
        } catch {
            throw StorageError(.local, "cannot mount volume \(name): \(error)", cause: error)
        }
    }

    /// Whether this is what the volume asks for, and not the export around its subdirectory.
    private func isWhole(_ entry: MountTableEntry, of definition: VolumeDefinition) -> Bool {
        guard let subdirectory = definition.options.subdirectory else { return true }
        return entry.root.hasByteSuffix("/" + subdirectory.path) || entry.source.hasByteSuffix("/" + subdirectory.path)
    }

    /// What becomes of a mount is known in memory in any case; that it cannot be stored is only missing after a restart.
    private func noting(_ name: VolumeName, _ body: () throws(SystemError) -> Void) {
        do throws(SystemError) { try body() } catch {
            logger.error("volume \(name): its last failure cannot be stored: \(error)")
        }
    }

    private func mountInKernel(
        _ definition: VolumeDefinition, mayWait: Bool, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) {
        let name = definition.name
        let place = table.place(of: name)
        do throws(SystemError) { try prepareFolder(place) } catch {
            throw StorageError(.local, "cannot mount volume \(name): \(error)", cause: error)
        }
        do throws(StorageError) {
            let entry = try exports.mount(
                definition, at: place, requiring: authority.requiredFolder(of: definition), mayWait: mayWait, until: deadline,
                cancellation)
            noting(name) { () throws(SystemError) in try table.mounted(name, entry) }
            noteShortcomings(of: definition, entry)
            logger.info("volume \(name) mounted: \(entry.source) at \(place), \(entry.superblockOptions.joined(separator: ","))")
        } catch {
            noting(name) { () throws(SystemError) in try table.mountFailed(name, error) }
            if let stuck = error.stuck { keepBusy(name, until: stuck, undoing: true) } else { try? removeEmptyFolder(place) }
            throw error
        }
    }

    /// Says in the log, and keeps for status, what does not work in a mount.
    func noteShortcomings(of definition: VolumeDefinition, _ entry: MountTableEntry) {
        let shortcomings = definition.options.source.shortcomings(of: entry)
        for shortcoming in shortcomings { logger.warning("volume \(definition.name): \(shortcoming)") }
        table.change(definition.name) { $0.shortcomings = shortcomings }
    }

    /// An empty folder that only root can write to while nothing is mounted on it.
    private func prepareFolder(_ place: FilePath) throws(SystemError) {
        do throws(SystemError) {
            try makeFolder(place, mode: 0)
        } catch  where error.errno == .fileExists {
            // A new one in its place, because nobody knows who has given this one which mode.
            do throws(SystemError) { try removeEmptyFolder(place) } catch  where error.errno == .directoryNotEmpty {
                throw SystemError(
                    "mkdir", .directoryNotEmpty, on: place.string, hint: "it holds local files: move them away, then try again")
            }
            try makeFolder(place, mode: 0)
        } catch  where error.errno == .noSuchFileOrDirectory {
            try makeFolders(place.removingLastComponent(), mode: 0o700)
            try makeFolder(place, mode: 0)
        }
    }

    /// Unmounts a volume, whatever its references; its folder is removed soon after.
    ///
    /// - Throws: `StorageError` if something is still mounted there.
    func unmountInKernel(_ name: VolumeName) throws(StorageError) {
        let place = table.place(of: name)
        let result: UnmountResult
        do throws(StorageError) {
            result = try exports.unmount(place) { users in
                let list = users.isEmpty ? "nobody's files, perhaps a mount below it" : users.map(\.description).joined(separator: ", ")
                logger.warning("volume \(name) is still used on this host by \(list); it is taken off the tree, and they keep it")
            }
        } catch {
            if let stuck = error.stuck { keepBusy(name, until: stuck, undoing: false) }
            throw error
        }
        table.change(name) { $0.mount = nil }
        chores.add(name) { [self] in removeFolder(ofUnmounted: name) }
        switch result {
        case .unmounted: logger.info("volume \(name) unmounted")
        case .detached: logger.warning("volume \(name) detached: the server did not answer, or something on this host still uses it")
        case .wasNotMounted: logger.info("volume \(name) was not mounted any more")
        }
    }

    /// Removes the folder of a volume's place, if nothing is mounted or about to be mounted there.
    func removeFolder(ofUnmounted name: VolumeName) {
        if let record = table.record(name), record.isMounted || record.isBusy { return }
        do throws(SystemError) { try removeEmptyFolder(table.place(of: name)) } catch {
            // Files were written below the mount point; a later mount refuses the folder, and names them.
            logger.error("volume \(name) is unmounted, but its folder stays: \(error)")
        }
    }

    /// Refuses all work on a volume until the kernel has let go of a killed process that works on its mount point. Returns at once.
    ///
    /// - Parameter isMounting: the process was mounting, and what it has mounted by its end is of no use.
    private func keepBusy(_ name: VolumeName, until stuck: StuckProcess, undoing isMounting: Bool) {
        table.change(name) { $0.busy = stuck.reason }
        logger.error("volume \(name): \(stuck.reason)")
        do throws(SystemError) {
            try BlockingThread.start(named: "volume-stuck") { [self] in
                stuck.waitUntilGone()
                if isMounting || table.record(name)?.references.isEmpty ?? true { _ = try? exports.unmount(table.place(of: name)) }
                table.change(name) { $0.busy = nil }
                logger.notice("volume \(name): the kernel has let go; the volume can be used again")
            }
        } catch {
            logger.error("volume \(name) stays unusable until \(words.program) is restarted: \(error)")
        }
    }
}
