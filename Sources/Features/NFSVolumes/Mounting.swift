// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import NFSMount
import Synchronization
import SystemPackage

/// Mounting with the first reference, unmounting with the last.
extension NFSVolumes {
    func mount(_ text: String, id: String, driver: String) async throws(StorageError) -> String {
        let name = try volume(text, driver: driver)
        defer { engines.referencesChanged() }
        // Docker's own limit runs while this waits in line, too.
        let deadline = Deadline(after: settings.limits.mount)
        return try await locks.exclusively(name) { [self] cancellation in
            try mount(name, id: id, driver: driver, until: deadline, cancellation)
        }
    }

    func unmount(_ text: String, id: String, driver: String) async throws(StorageError) {
        let name = try volume(text, driver: driver)
        // A task of its own: a caller that leaves while this waits in line cancels the answer, not the release.
        let result: Result<Void, StorageError> = await Task { [self] in
            do throws(StorageError) {
                return .success(try await locks.exclusively(name) { [self] in try unmount(name, id: id) })
            } catch {
                return .failure(error)
            }
        }.value
        engines.referencesChanged()
        shared.released(name)
        try result.get()
    }

    /// Blocks; the caller holds the volume's lock.
    private func mount(
        _ name: VolumeName, id: String, driver: String, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) -> String {
        guard let record = table.record(name) else { throw StorageError(.noSuchVolume, "no such volume: \(name)") }
        if let busy = record.busy { throw StorageError(.stuck, "volume \(name) cannot be mounted now: \(busy)") }
        let place = settings.place(of: name)
        let standing = try standingMount(of: name)
        var isMounted = standing != nil
        if let standing, record.references.isEmpty || !isWhole(standing, of: record.definition) {
            // A mount that was cut short left it; it may be the export in the place of a subdirectory of it.
            logger.notice("volume \(name): what is mounted at \(place) is of no use; unmounting it first")
            do throws(StorageError) { try unmountInKernel(name) } catch { throw error.prefixed(by: "cannot mount volume \(name)") }
            isMounted = false
        }
        if !isMounted {
            if record.isMounted, standing == nil {
                logger.warning("volume \(name) was unmounted by somebody else at \(place); mounting it again")
            }
            try shared.prepareMount(of: record.definition, until: deadline, cancellation)
            try mountInKernel(record.definition, until: deadline, cancellation)
        }
        var references = record.references
        if references.isHeld(by: id), engines.isStopped(id) {
            // An engine that was killed has not unmounted, and mounts with the same ID when its container starts again. For a
            // container that runs, the same is docker cp.
            logger.notice("volume \(name): what \(id) holds is dropped; its container did not run any more")
            references.releaseAll(of: id)
        }
        references.retain(id, activation: engines.activation(of: driver), now: secondsSinceBoot())
        do throws(SystemError) { try table.store(references, of: name) } catch {
            let failure = StorageError(.local, "cannot mount volume \(name): its reference cannot be stored: \(error)", cause: error)
            guard record.references.isEmpty else { throw failure }
            do throws(StorageError) { try unmountInKernel(name) } catch { throw failure.followed(by: error) }
            throw failure
        }
        if cancellation.isCancelled {
            // Docker sends no unmount for a mount whose answer it did not wait for.
            try unmount(name, id: id)
            throw StorageError(.cancelled, "mounting volume \(name) was undone because the caller has gone")
        }
        return place.string
    }

    /// The volume's mount, if the kernel has it; what it says is kept.
    private func standingMount(of name: VolumeName) throws(StorageError) -> MountTableEntry? {
        do throws(SystemError) {
            let entry = try MountTable.topmost(at: settings.place(of: name).string)
            if let entry, !isOurs(entry) {
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
        return entry.root.hasSuffix("/" + subdirectory.path) || entry.source.hasSuffix("/" + subdirectory.path)
    }

    func isOurs(_ entry: MountTableEntry) -> Bool {
        entry.isNFS || (settings.standIn.map { $0.fileSystem == entry.fileSystem } ?? false)
    }

    private func mountInKernel(
        _ definition: VolumeDefinition, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) {
        let name = definition.name
        let place = settings.place(of: name)
        do {
            try prepareFolder(place)
            let mounted = try mounter.mount(try request(for: definition), until: deadline, cancellation: cancellation)
            table.change(name) {
                $0.mount = mounted.entry
                $0.lastFailure = nil
                $0.lastFailureCode = nil
            }
            logger.info(
                "volume \(name) mounted: \(mounted.entry.source) at \(place), \(mounted.entry.superblockOptions.joined(separator: ","))")
        } catch let error as NFSMountError {
            let failure = StorageError(error)
            table.change(name) { $0.mountFailed(failure) }
            if let hold = error.stuck { keepBusy(name, until: hold, undo: true) } else { try? removeEmptyFolder(place) }
            throw failure
        } catch {
            throw StorageError(.local, "cannot mount volume \(name): \(error)", cause: error)
        }
    }

    /// What the kernel is to mount for a volume; of a share only what this host knows it by.
    func request(for definition: VolumeDefinition) throws(MountOptionError) -> NFSMountRequest {
        var request = try settings.request(for: definition)
        request.requiredFolder = shared.requiredFolder(of: definition)
        return request
    }

    /// An empty folder that nobody can write to while nothing is mounted on it.
    private func prepareFolder(_ place: FilePath) throws(SystemError) {
        do throws(SystemError) {
            try makeFolder(place, mode: 0)
        } catch  where error.errno == .fileExists {
            guard try namesInFolder(place).isEmpty else {
                throw SystemError(
                    "mkdir", .directoryNotEmpty, on: place.string, hint: "it holds local files: move them away, then try again")
            }
        } catch  where error.errno == .noSuchFileOrDirectory {
            try makeFolders(settings.mountDirectory, mode: 0o711)
            try makeFolder(place, mode: 0)
        }
    }

    /// Blocks; the caller holds the volume's lock.
    func unmount(_ name: VolumeName, id: String) throws(StorageError) {
        guard let record = table.record(name) else { throw StorageError(.noSuchVolume, "no such volume: \(name)") }
        var references = record.references
        if !references.release(id) {
            logger.info("volume \(name): nothing to release for \(id)")
            if !references.isEmpty || !record.isMounted { return }
        }
        if engines.areAbandoned(references, of: record.definition.driver), let mount = record.mount,
            engines.process(holding: mount) == nil
        {
            logger.notice("volume \(name): \(references.total) references of an engine that has ended are dropped; no process uses them")
            references.releaseAll()
        }
        store(references, of: name)
        guard references.isEmpty else { return }
        do throws(StorageError) { try unmountInKernel(name) } catch { throw error.prefixed(by: "volume \(name)") }
    }

    /// The references in memory count for this run in any case; what cannot be stored is only missing after a restart.
    func store(_ references: References, of name: VolumeName) {
        do throws(SystemError) { try table.replace(references, of: name) } catch {
            logger.error("volume \(name): its references cannot be stored: \(error)")
        }
    }

    /// Unmounts and removes the folder.
    ///
    /// - Throws: `StorageError` if something is still mounted there.
    func unmountInKernel(_ name: VolumeName) throws(StorageError) {
        let place = settings.place(of: name)
        do {
            let result = try mounter.unmount(place.string)
            table.change(name) { $0.mount = nil }
            try removeEmptyFolder(place)
            switch result {
            case .unmounted: logger.info("volume \(name) unmounted")
            case .detached: logger.warning("volume \(name) detached: the server did not answer, or something on this host still uses it")
            case .wasNotMounted: logger.info("volume \(name) was not mounted any more")
            }
        } catch let error as UnmountError {
            if let hold = error.stuck { keepBusy(name, until: hold) }
            throw StorageError(error)
        } catch {
            // The folder is not empty: somebody wrote below the mount point. Nothing is mounted, so the volume is free.
            logger.error("volume \(name) is unmounted, but its folder stays: \(error)")
        }
    }

    /// Refuses all work on a volume until the kernel has let go of a killed process that works on its mount point.
    ///
    /// - Parameter undo: the process was mounting; what it has mounted by its end is of no use.
    private func keepBusy(_ name: VolumeName, until hold: SystemCallHold, undo: Bool = false) {
        table.change(name) { $0.busy = hold.reason }
        logger.error("volume \(name): \(hold.reason)")
        let place = settings.place(of: name).string
        do throws(SystemError) {
            try BlockingThread.start(named: "nfsd-hold") { [self] in
                hold.waitUntilGone()
                if undo || table.record(name)?.references.isEmpty ?? true { _ = try? mounter.unmount(place) }
                table.change(name) { $0.busy = nil }
                logger.notice("volume \(name): the kernel has let go; the volume can be used again")
            }
        } catch {
            logger.error("volume \(name) stays unusable until docker-nfsd is restarted: \(error)")
        }
    }
}
