// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import KernelMount
import Synchronization
import Volumes

/// The marks that this host has made in the catalogues of shares, and when they are taken back.
final class OwnMarks: Sendable {
    struct Memory: Sendable {
        var uses: [Use] = []
        /// The texts of shares whose marks of an earlier run are all known.
        var knowsOldMarks: Set<String> = []
        /// The texts of shares whose marks were read at least once in this run.
        var hasReadMarks: Set<String> = []
        /// Removals by this host whose marks must stay as long as the volume is defined, because some of its data may be gone. All
        /// others of this run have touched nothing.
        var begunRemovals: Set<RemovalOnShare> = []

        mutating func note(_ name: VolumeName, of share: Share, isCertain: Bool) {
            forget(name, of: share)
            uses.append(Use(name: name, share: share, isCertain: isCertain))
        }

        mutating func forget(_ name: VolumeName, of share: Share) { uses.removeAll { $0.name == name && $0.share == share } }

        func use(_ name: VolumeName, of share: Share) -> Use? { uses.first { $0.name == name && $0.share == share } }
    }

    struct RemovalOnShare: Hashable {
        let name: VolumeName
        /// The share's text.
        let share: String
    }

    /// That this host has told the others that it uses a volume.
    struct Use: Sendable {
        let name: VolumeName
        let share: Share
        /// False if the mark may be there or not.
        let isCertain: Bool
    }

    let memory = Mutex(Memory())
    private let table: VolumeTable
    private let locks: VolumeLocks

    init(table: VolumeTable, locks: VolumeLocks) {
        self.table = table
        self.locks = locks
    }

    // MARK: Uses

    /// Whether this host may have a mark of use for a volume of this name.
    func mayUse(_ name: VolumeName) -> Bool { memory.withLock { memory in memory.uses.contains { $0.name == name } } }

    /// Whether it is certain that the other hosts have been told.
    func isUseMarked(_ name: VolumeName, of share: Share) -> Bool { memory.withLock { $0.use(name, of: share)?.isCertain } == true }

    /// The shares with marks to take back, and those of `shares` of which that is not known.
    func sharesToVisit(among shares: [Share]) -> [Share] {
        memory.withLock { memory in
            shares.filter { !memory.knowsOldMarks.contains($0.text) } + memory.uses.map(\.share)
        }
    }

    /// Tells the other hosts that this one uses a volume. Blocks on the server; the caller holds the volume's lock.
    func markUse(of name: VolumeName, in catalogue: ShareCatalogue) throws(StorageError) {
        // Noted first: a mark whose making failed may be there all the same, and the next look takes it back.
        memory.withLock { $0.note(name, of: catalogue.share, isCertain: false) }
        try catalogue.marks.markUse(name)
        memory.withLock { $0.note(name, of: catalogue.share, isCertain: true) }
    }

    /// Takes back the marks of volumes that are not mounted here any more, also those that an earlier run left. Blocks on the server.
    func releaseUnused(in catalogue: ShareCatalogue) throws(StorageError) {
        let share = catalogue.share
        if !memory.withLock({ $0.knowsOldMarks.contains(share.text) }) { try learnOldMarks(catalogue) }
        for name in memory.withLock({ $0.uses }).filter({ $0.share == share }).map(\.name) where table.record(name)?.isFree ?? true {
            guard locks.acquireIfFree(name) else { continue }
            defer { locks.release(name) }
            guard table.record(name)?.isFree ?? true else { continue }
            try catalogue.briefly().marks.releaseUse(of: name)
            memory.withLock { $0.forget(name, of: share) }
        }
    }

    private func learnOldMarks(_ catalogue: ShareCatalogue) throws(StorageError) {
        let share = catalogue.share
        let own = try catalogue.marks.ownMarks()
        memory.withLock { memory in
            for name in own.uses where memory.use(name, of: share) == nil { memory.note(name, of: share, isCertain: false) }
            if memory.hasReadMarks.insert(share.text).inserted {
                memory.begunRemovals.formUnion(own.removals.map { RemovalOnShare(name: $0, share: share.text) })
            }
        }
        var isDone = true
        for name in own.removals { isDone = try dropRemoval(of: name, catalogue) && isDone }
        if isDone { memory.withLock { memory in _ = memory.knowsOldMarks.insert(share.text) } }
    }

    // MARK: Removals

    /// The data of a volume may have been touched: its mark stays until the removal is complete.
    func removalHasBegun(of name: VolumeName, _ share: Share) {
        memory.withLock { memory in _ = memory.begunRemovals.insert(RemovalOnShare(name: name, share: share.text)) }
    }

    /// A volume has been removed, and its marks with it.
    func forget(_ name: VolumeName, of share: Share) {
        memory.withLock { memory in
            memory.begunRemovals.remove(RemovalOnShare(name: name, share: share.text))
            memory.forget(name, of: share)
        }
    }

    /// A mark may have been left where it should not be. The next look finds it.
    func readAgain(_ share: Share) { memory.withLock { memory in _ = memory.knowsOldMarks.remove(share.text) } }

    /// Takes back the mark of a removal that was cut short, if the volume has gone or nothing was touched. Otherwise some of its data
    /// may be gone, and the mark stays until a host has finished the removal.
    ///
    /// - Returns: false if it must be tried again.
    private func dropRemoval(of name: VolumeName, _ catalogue: ShareCatalogue) throws(StorageError) -> Bool {
        guard locks.acquireIfFree(name) else { return false }
        defer { locks.release(name) }
        let removal = RemovalOnShare(name: name, share: catalogue.share.text)
        let catalogue = catalogue.briefly()
        if memory.withLock({ $0.begunRemovals.contains(removal) }), try catalogue.definitions.definition(of: name) != nil { return false }
        try catalogue.marks.giveUpRemoval(name)
        memory.withLock { memory in _ = memory.begunRemovals.remove(removal) }
        return true
    }
}
