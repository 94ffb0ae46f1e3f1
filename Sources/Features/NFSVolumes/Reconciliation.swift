// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import NFSMount
import Synchronization
import SystemPackage

/// Bringing definitions, references and the kernel's mount table together, at the start and when an engine has come back.
extension NFSVolumes {
    /// Reads what is on disk, compares it with what is mounted, and says in the log what it found and did.
    func reconcile() throws(SystemError) {
        let definitions = try files.readDefinitions(logger: logger)
        var references = try files.readReferences(logger: logger)
        let staging = (try? namesInFolder(settings.runtimeDirectory.appending("staging"))) ?? []
        // What is mounted in our folder, until a volume claims it.
        var unclaimed: [String: MountTableEntry] = [:]
        for entry in try MountTable().mounts(below: settings.mountDirectory.string) where entry.mountPoint != settings.mountDirectory.string
        {
            unclaimed[entry.mountPoint] = entry
        }
        state.withLock { state in
            state.staleStaging = staging
        }
        for definition in definitions {
            let name = definition.name
            let place = settings.place(of: name).string
            var record = VolumeRecord(definition)
            record.references = references.removeValue(forKey: name.fileName) ?? References()
            record.mount = unclaimed.removeValue(forKey: place).flatMap { isOurs($0) ? $0 : nil }
            report(record)
            table.insert(record)
        }
        for (fileName, lost) in references {
            logger.warning("\(lost.total) references to volume \(fileName), which does not exist, are dropped")
            try removeFile(settings.runtimeDirectory.appending("references").appending(fileName + ".json"), durable: false)
        }
        let records = table.records
        logger.info(
            "\(records.count) volumes known, \(records.filter(\.isMounted).count) mounted, \(records.reduce(0) { $0 + $1.references.total }) references"
        )
    }

    private func report(_ record: VolumeRecord) {
        if record.references.isEmpty { return }
        let (name, total) = (record.definition.name, record.references.total)
        if record.isMounted {
            logger.info("volume \(name): mounted, \(total) references taken over")
        } else {
            logger.warning("volume \(name): \(total) references, but it is not mounted any more; the next mount mounts it again")
        }
    }

    /// Undoes what an earlier run of the daemon began and did not finish. It may wait for servers, so it comes after the
    /// start, while the daemon answers already.
    private func tidy() async {
        for name in table.records.filter({ $0.isMounted && $0.references.isEmpty }).map(\.definition.name) {
            try? await locks.exclusively(name) { [self] in
                guard let record = table.record(name), record.references.isEmpty, let mount = record.mount else { return }
                // The daemon was killed between mounting and storing the reference, so no container was told of it.
                if let process = engines.process(holding: mount) {
                    logger.warning("volume \(name): mounted without a reference, and process \(process) uses it; left as it is")
                } else {
                    logger.notice("volume \(name): mounted without a reference; unmounting it")
                    try unmountInKernel(name)
                }
            }
        }
        try? await BlockingThread.run(named: "nfsd-tidy") { [self] in
            removeStaging()
            releaseUnknownMounts()
            removeStaleFolders()
        }
    }

    private func releaseUnknownMounts() {
        let folder = settings.mountDirectory.string
        let known = Set(table.records.map { settings.place(of: $0.definition.name).string })
        for entry in (try? MountTable().mounts(below: folder)) ?? [] where entry.mountPoint != folder && !known.contains(entry.mountPoint) {
            releaseUnknown(entry)
        }
    }

    /// Something is mounted in our folder that belongs to no volume.
    private func releaseUnknown(_ entry: MountTableEntry) {
        guard isOurs(entry), engines.process(holding: entry) == nil else {
            logger.warning("\(entry.source) is mounted at \(entry.mountPoint), which belongs to no volume; left as it is")
            return
        }
        do throws(UnmountError) {
            _ = try mounter.unmount(entry.mountPoint)
            logger.notice("\(entry.source) was mounted at \(entry.mountPoint), which belongs to no volume; unmounted")
        } catch {
            logger.error("\(error)")
        }
    }

    /// Empty folders that belong to no volume. One with files in it is left, and named.
    private func removeStaleFolders() {
        // Of volumes that exist, the folder is made and removed by their own work.
        let known = Set(table.records.map(\.definition.name.fileName))
        for folder in (try? namesInFolder(settings.mountDirectory)) ?? [] where !known.contains(folder) {
            do throws(SystemError) { try removeEmptyFolder(settings.mountDirectory.appending(folder)) } catch {
                logger.warning("\(settings.mountDirectory.appending(folder)) is not the folder of a volume and cannot be removed: \(error)")
            }
        }
    }

    /// Exports that were mounted for a moment when the daemon was killed.
    private func removeStaging() {
        let folder = settings.runtimeDirectory.appending("staging")
        // Not what lies there by now: that is work of this run.
        for name in state.withLock({ state in state.staleStaging }) {
            _ = try? mounter.unmount(folder.appending(name).string)
            try? removeEmptyFolder(folder.appending(name))
        }
    }

    // MARK: While the daemon runs

    /// Tidies up, then follows engines and the share's catalogue until ``shutDown()``.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in await tidy() }
            group.addTask { [self] in await engines.run(until: ending) }
            group.addTask { [self] in await shared.follower.run() }
        }
    }
}
