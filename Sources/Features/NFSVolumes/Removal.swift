// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import NFSMount
import Synchronization
import SystemPackage

/// Removing a volume, and what `onremove` says about its data.
extension NFSVolumes {
    /// For all that a removal does on the share; Docker waits 60 s.
    private static let removalLimit = Duration.seconds(55)

    func remove(_ text: String, driver: String) async throws(StorageError) {
        let name = try volume(text, driver: driver)
        let deadline = Deadline(after: Self.removalLimit)
        try await locks.exclusively(name) { [self] in try remove(name, until: deadline) }
    }

    /// Blocks; the caller holds the volume's lock.
    private func remove(_ name: VolumeName, until deadline: Deadline) throws(StorageError) {
        guard let record = table.record(name) else { throw StorageError(.noSuchVolume, "no such volume: \(name)") }
        if let busy = record.busy { throw StorageError(.stuck, "volume \(name) cannot be removed now: \(busy)") }
        if !record.references.isEmpty { try dropReferencesOfTheDead(name, record) }
        do throws(StorageError) { try unmountInKernel(name) } catch { throw error.prefixed(by: "cannot remove volume \(name)") }
        if record.definition.share != nil {
            try shared.remove(record.definition, until: deadline) { (limit) throws(DisposalError) in
                try disposeOfData(record.definition, until: limit)
            }
        } else {
            do throws(DisposalError) { try disposeOfData(record.definition) } catch {
                throw StorageError(error.code, error.description, cause: error)
            }
        }
        do throws(SystemError) { try table.remove(name) } catch {
            throw StorageError(.local, "cannot remove volume \(name): its definition cannot be deleted: \(error)", cause: error)
        }
        logger.info("volume \(name) removed")
    }

    /// Docker asks for a removal only when no container of its refers to the volume; if the kernel agrees that nobody has it
    /// mounted, the references are leaks.
    private func dropReferencesOfTheDead(_ name: VolumeName, _ record: VolumeRecord) throws(StorageError) {
        let users = containerNames(record.references)
        guard engines.areAbandonedBeforeRemoval(record.references, of: record.definition.driver) else {
            throw StorageError(.inUse, "volume \(name) is in use\(users); stop what uses it first")
        }
        if let mount = record.mount, let process = engines.process(holding: mount), !isShared(mount, besides: name) {
            throw StorageError(.inUse, "volume \(name) is in use\(users) by process \(process); stop it first")
        }
        logger.notice("volume \(name): \(record.references.total) references that nobody uses are dropped")
        store(References(), of: name)
    }

    private func containerNames(_ references: References) -> String {
        let names = table.holderNames
        let known = references.holders.keys.compactMap { names[$0] }
        return known.isEmpty ? "" : " by container \(Set(known).sorted().joined(separator: ", "))"
    }

    /// Whether another volume has something of the same superblock mounted, so that its users can look like ours.
    private func isShared(_ mount: MountTableEntry, besides name: VolumeName) -> Bool {
        table.contains { $0.definition.name != name && !$0.references.isEmpty && $0.mount?.device == mount.device }
    }

    /// - Parameter limit: if this is earlier than the setting's.
    func disposeOfData(_ definition: VolumeDefinition, until limit: Deadline? = nil) throws(DisposalError) {
        guard definition.options.removal != .retain, let subdirectory = definition.options.subdirectory else { return }
        let (name, policy) = (definition.name, definition.options.removal)
        if let other = volumeOverlapping(definition) {
            throw DisposalError(
                description:
                    "cannot remove volume \(name): onremove=\(policy.rawValue) would touch the directory of volume \(other), which shares it; remove that volume first"
            )
        }
        let began = ContinuousClock.now
        var deadline = Deadline(began + settings.removal)
        if let limit { deadline = deadline.earlier(limit) }
        let place = settings.runtimeDirectory.appending("staging").appending("remove-\(UInt64.random(in: 0 ... .max))")
        do {
            try makeFolders(place, mode: 0o700)
            var request = try request(for: definition)
            request.options = try MountOptions(
                definition.options.mountOptions.isEmpty ? "rw" : definition.options.mountOptions,
                defaults: [settings.mountOptions, VolumeSettings.builtInOptions])
            request.subdirectory = nil
            request.target = place.string
            _ = try mounter.mount(request, until: deadline)
            defer {
                do throws(UnmountError) { _ = try mounter.unmount(place.string) } catch { logger.error("\(error)") }
                try? removeEmptyFolder(place)
            }
            let tree = ExportTree(mountedAt: place.string, until: deadline)
            switch policy {
            case .retain: break
            case .archive:
                let archive = "archived-\(subdirectory.components.last ?? "")-\(timestamp(compact: true))"
                if try tree.rename(subdirectory, to: archive) {
                    logger.notice("volume \(name): its directory \(subdirectory.path) is now \(archive)")
                }
            case .delete:
                try tree.delete(subdirectory)
                // Somebody may have taken the export away meanwhile, and an empty folder looks like a finished deletion.
                guard let entry = try? MountTable.topmost(at: place.string), isOurs(entry) else {
                    throw ExportTreeError(description: "the export was unmounted meanwhile", isUnfinished: true, hasBegun: true)
                }
                logger.notice("volume \(name): its directory \(subdirectory.path) is deleted")
            }
        } catch let error as ExportTreeError {
            try? removeEmptyFolder(place)
            let next =
                switch (error.isUnfinished, error.hasBegun) {
                case (true, _):
                    "not finished within \((ContinuousClock.now - began).components.seconds) s; run docker volume rm again to go on"
                case (false, true): "a part of the data is gone; correct it on the server, then run docker volume rm again to go on"
                case (false, false): "correct it on the server, then try again"
                }
            throw DisposalError(
                description: "cannot remove volume \(name): onremove=\(policy.rawValue) of \(subdirectory.path): \(error); \(next)",
                hasBegun: error.hasBegun, cause: error)
        } catch {
            try? removeEmptyFolder(place)
            throw DisposalError(
                description: "cannot remove volume \(name): onremove=\(policy.rawValue) needs its export: \(error)", cause: error,
                stuck: (error as? NFSMountError)?.stuck)
        }
    }

    /// A volume whose directory is this one's, or lies in it, or has it as a part; a whole export around it is no such volume.
    private func volumeOverlapping(_ definition: VolumeDefinition) -> VolumeName? {
        func parts(_ options: VolumeOptions) -> [String] {
            options.path.split(separator: "/").map(String.init) + (options.subdirectory?.components ?? [])
        }
        let own = parts(definition.options)
        return table.records.map(\.definition).first { other in
            guard other.name != definition.name, other.options.server == definition.options.server else { return false }
            let theirs = parts(other.options)
            return theirs.starts(with: own) || (other.options.subdirectory != nil && own.starts(with: theirs))
        }?.name
    }
}
