// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import KernelMount
import SystemPackage

/// Brings definitions, references and the kernel's mount table together when the daemon starts.
struct Reconciliation: Sendable {
    private let mounter: VolumeMounter
    private let locks: VolumeLocks
    private let places: any MountPlaces
    /// Where exports are mounted for a moment.
    private let stagingFolder: FilePath
    /// The names in it that an earlier run has left. All others are work of this run.
    private let staleStaging: [String]
    private let logger: Logger

    private var table: VolumeTable { mounter.table }
    private var exports: ExportMounts { mounter.exports }
    private var mountDirectory: FilePath { places.folder }

    /// Looks what an earlier run has left in the staging folder, so this comes before any other work. Blocks on local files.
    init(mounter: VolumeMounter, locks: VolumeLocks, places: any MountPlaces, stagingFolder: FilePath, logger: Logger) {
        self.mounter = mounter
        self.locks = locks
        self.places = places
        self.stagingFolder = stagingFolder
        self.logger = logger
        staleStaging = (try? namesInFolder(stagingFolder)) ?? []
    }

    // MARK: At the start

    /// Fills the table from the files and the mount table, and says in the log what it found. Blocks on local files.
    ///
    /// - Throws: `SystemError` if a folder or the mount table cannot be read.
    func fillTable(from files: VolumeFiles) throws(SystemError) {
        let definitions = try files.readDefinitions(logger: logger)
        var references = try files.readReferences(logger: logger)
        let failures = files.failures.read()
        // What is mounted in the daemon's folder, until a volume claims it.
        var unclaimed: [String: MountTableEntry] = [:]
        for entry in try MountTable().mounts(below: mountDirectory.string) where !entry.mountPoint.hasSameBytes(as: mountDirectory.string) {
            unclaimed[entry.mountPoint] = entry
        }
        for definition in definitions {
            var record = VolumeRecord(definition)
            record.references = references.removeValue(forKey: definition.name.fileName) ?? References()
            let entry = unclaimed.removeValue(forKey: table.place(of: definition.name).string)
            record.mount = entry.flatMap { exports.isOurs($0) ? $0 : nil }
            record.lastFailure = record.isMounted ? nil : failures[definition.name.fileName]
            report(record)
            table.insert(record)
        }
        for (fileName, lost) in references {
            logger.warning("\(lost.total) references to volume \(fileName), which does not exist, are dropped")
            try files.removeReferences(ofFileName: fileName)
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

    // MARK: After the start

    /// Undoes what an earlier run of the daemon began and did not finish. It may wait for servers, so the daemon answers already.
    func tidy() async {
        for name in table.records.filter({ $0.isMounted && $0.references.isEmpty }).map(\.definition.name) {
            try? await locks.exclusively(name) { [self] in try releaseUnreferenced(name) }
        }
        for name in unmountedFolders() {
            try? await locks.exclusively(name) { [mounter] in mounter.removeFolder(ofUnmounted: name) }
        }
        try? await BlockingThread.run(named: "volume-tidy") { [self] in
            removeStaging()
            for case let (definition, entry?) in table.records.map({ ($0.definition, $0.mount) }) {
                mounter.noteShortcomings(of: definition, entry)
            }
            releaseUnknownMounts()
            removeStaleFolders()
        }
    }

    /// The daemon was killed between mounting and storing the reference, so nobody was told of the mount.
    private func releaseUnreferenced(_ name: VolumeName) throws(StorageError) {
        guard let record = table.record(name), record.references.isEmpty, let mount = record.mount else { return }
        if let process = mounter.watch.process(holding: mount) {
            logger.warning("volume \(name): mounted without a reference, and process \(process) uses it; left as it is")
        } else {
            logger.notice("volume \(name): mounted without a reference; unmounting it")
            try mounter.unmountInKernel(name)
        }
    }

    /// The volumes with a folder on which nothing is mounted: a mount or an unmount was cut short.
    private func unmountedFolders() -> [VolumeName] {
        let folders = Set((try? namesInFolder(mountDirectory)) ?? [])
        return table.records.filter { !$0.isMounted }.map(\.definition.name).filter { folders.contains(folderName(of: $0) ?? "") }
    }

    private func releaseUnknownMounts() {
        let known = Set(table.records.map { table.place(of: $0.definition.name).string })
        for entry in (try? MountTable().mounts(below: mountDirectory.string)) ?? []
        where !entry.mountPoint.hasSameBytes(as: mountDirectory.string) && !known.contains(entry.mountPoint) {
            releaseUnknown(entry)
        }
    }

    /// Something is mounted in the daemon's folder that belongs to no volume.
    private func releaseUnknown(_ entry: MountTableEntry) {
        // What came before it may have taken long, and a volume may have been made and mounted there since.
        guard (try? MountTable.topmost(at: entry.mountPoint)) == entry,
            !table.records.contains(where: { table.place(of: $0.definition.name).string.hasSameBytes(as: entry.mountPoint) })
        else { return }
        guard exports.isOurs(entry), mounter.watch.process(holding: entry) == nil else {
            logger.warning("\(entry.source) is mounted at \(entry.mountPoint), which belongs to no volume; left as it is")
            return
        }
        do throws(StorageError) {
            _ = try exports.unmount(FilePath(entry.mountPoint))
            logger.notice("\(entry.source) was mounted at \(entry.mountPoint), which belongs to no volume; unmounted")
        } catch {
            logger.error("\(error)")
        }
    }

    /// Removes empty folders that belong to no volume. One with files in it is left, and named in the log.
    private func removeStaleFolders() {
        // The folder of a volume is made and removed by work under the volume's lock.
        let known = Set(table.records.compactMap { folderName(of: $0.definition.name) })
        for folder in (try? namesInFolder(mountDirectory)) ?? [] where !known.contains(folder) {
            do throws(SystemError) { try removeEmptyFolder(mountDirectory.appending(folder)) } catch {
                logger.warning("\(mountDirectory.appending(folder)) is not the folder of a volume and cannot be removed: \(error)")
            }
        }
    }

    /// The first component of a volume's place below the folder of all places.
    private func folderName(of name: VolumeName) -> String? {
        var rest = places.place(of: name)
        return rest.removePrefix(places.folder) ? rest.components.first?.string : nil
    }

    /// Unmounts exports that were mounted for a moment when the daemon was killed.
    private func removeStaging() {
        for name in staleStaging {
            _ = try? exports.unmount(stagingFolder.appending(name))
            try? removeEmptyFolder(stagingFolder.appending(name))
        }
    }
}
