// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import KernelMount

/// Removes unused volumes, with what their definitions say about their data.
struct VolumeRemover: Sendable {
    let mounter: VolumeMounter
    let disposal: DataDisposal
    let logger: Logger

    private var table: VolumeTable { mounter.table }

    /// Removes a volume. Blocks on the server; the caller holds the volume's lock.
    ///
    /// - Throws: `StorageError`; the volume is still defined then.
    func remove(_ name: VolumeName, until deadline: Deadline) throws(StorageError) {
        guard let record = table.record(name) else { throw StorageError(.noSuchVolume, "no such volume: \(name)") }
        if let busy = record.busy { throw StorageError(.stuck, "volume \(name) cannot be removed now: \(busy)") }
        if !record.references.isEmpty { try dropAbandonedReferences(record) }
        do throws(StorageError) { try mounter.unmountInKernel(name) } catch { throw error.prefixed(by: "cannot remove volume \(name)") }
        mounter.removeFolder(ofUnmounted: name)
        if mounter.authority.decides(about: record.definition) {
            try mounter.authority.remove(record.definition, until: deadline) { (limit) throws(DisposalError) in
                try disposal.dispose(of: record.definition, until: limit)
            }
        } else {
            do throws(DisposalError) { try disposal.dispose(of: record.definition) } catch {
                throw StorageError(error.code, error.description, cause: error)
            }
        }
        do throws(SystemError) { try table.remove(name) } catch {
            throw StorageError(.local, "cannot remove volume \(name): its definition cannot be deleted: \(error)", cause: error)
        }
        logger.info("volume \(name) removed")
    }

    /// An engine asks for a removal only if no container of its own refers to the volume. If the kernel agrees that it is not mounted
    /// anywhere else, the references are leaks.
    private func dropAbandonedReferences(_ record: VolumeRecord) throws(StorageError) {
        let name = record.definition.name
        let names = table.holderNames
        let holders = Set(record.references.holders.keys.compactMap { names[$0] }).sorted()
        let users = holders.isEmpty ? "" : " by \(mounter.words.holder) \(holders.joined(separator: ", "))"
        guard mounter.watch.areAbandonedBeforeRemoval(record.references, of: record.definition.owner) else {
            throw StorageError(.inUse, "volume \(name) is in use\(users); stop what uses it first")
        }
        if let mount = record.mount, let process = mounter.watch.process(holding: mount), !isShared(mount, besides: name) {
            throw StorageError(.inUse, "volume \(name) is in use\(users) by \(FileUser(process)); stop it first")
        }
        logger.notice("volume \(name): \(record.references.total) references that nobody uses are dropped")
        mounter.replace(References(), of: name)
    }

    /// Whether another volume has something of the same superblock mounted, so that its users can look like this one's.
    private func isShared(_ mount: MountTableEntry, besides name: VolumeName) -> Bool {
        table.contains { $0.definition.name != name && !$0.references.isEmpty && $0.mount?.device == mount.device }
    }
}
