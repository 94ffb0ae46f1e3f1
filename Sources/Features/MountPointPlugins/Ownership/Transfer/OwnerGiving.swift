// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import SystemPackage

/// Gives the files of a tree to a container's user: batch by batch, each written down before an owner is changed.
///
/// What was given before, by a process that was killed, is passed over. A file that has a name outside the tree is left as it is.
final class OwnerGiving {
    private let tree: Tree
    private let ranges: IDRanges
    private let isWanted: () -> Bool
    private let journal: TransferJournal
    /// As the threads have found them: to copy each would cost a twentieth of the time.
    private var batch: [[TreeEntry]] = []
    private var batchCount = 0
    /// Of files with several names, those that were met.
    private var linked: [UInt64: [TreeEntry]] = [:]
    private var isInParallel = true

    /// What a thread has met.
    private struct Met: Sendable {
        /// What is to be written down before the files below are given.
        var records = JournalEntries()
        var files: [TreeEntry] = []
        /// Belong to the new owner already.
        var given: [TreeEntry] = []
        /// Have several names.
        var linked: [TreeEntry] = []
        /// Have capabilities, which have to be found out, or cannot be looked at.
        var remaining: [(entry: TreeEntry, capability: Result<Capability, SystemError>)] = []
    }

    private static let batchSize = 16 << 10
    private static let leastOfThread = 128
    /// Bytes of the journal.
    private static let batchLimit = 4 << 20
    private static let capability = "security.capability"

    private init(_ transfer: KeptTransfer, _ path: FilePath, _ isWanted: @escaping () -> Bool) throws(SystemError) {
        tree = try Tree(transfer)
        ranges = transfer.ranges
        journal = try TransferJournal(path)
        self.isWanted = isWanted
    }

    /// - Parameter isWanted: asked before each batch; if not, it ends with an error.
    /// - Throws: `PluginError` that names the first file that cannot be given.
    static func run(
        _ transfer: KeptTransfer, journal: FilePath, while isWanted: @escaping () -> Bool
    ) throws(PluginError) {
        do throws(SystemError) {
            try OwnerGiving(transfer, journal, isWanted).run()
        } catch {
            throw PluginError("the files of \(transfer.source) cannot be given to \(transfer.ranges.given(transfer.owner)): \(error)")
        }
    }

    private func run() throws(SystemError) {
        // By name: what the name means when the owner is changed is looked at again then, as nothing is held while all is written down.
        let examine = Tree.Examination<Met>.byName { [ranges, place = tree.place, known = journal.index] entry, folder, prefix, met in
            // Also what belongs to the new owner already is written down: else it would count as made by the container at the end.
            if ranges.given(entry.owner) == entry.owner && ranges.returned(entry.owner) == entry.owner { return }
            guard entry.isAlone else { return met.linked.append(entry) }
            Self.meet(entry, in: folder, prefix, ranges, place, known, &met)
        }
        _ = try tree.walk(from: Met(), examining: examine) { (met) throws(SystemError) in
            for entry in met.linked { linked[entry.status.inode, default: []].append(entry) }
            try journal.add(met.records)
            addToBatch(met.files)
            for entry in met.given { noteGiven(entry) }
            for (entry, capability) in met.remaining { try add(entry, capability) }
            if isBatchFull { try finishBatch() }
        }
        try finishBatch()
        // Of several names of one file only the first finds it as it was.
        isInParallel = false
        for entries in linked.values {
            guard let first = entries.first, entries.count == Int(first.status.links) else { continue }
            for entry in entries {
                guard let folder = try tree.open(entry.folder) else { continue }
                let isGiven = ranges.given(entry.owner) == entry.owner
                try add(entry, .success(isGiven ? .none : Self.capability(of: entry, in: folder)))
                if isBatchFull { try finishBatch() }
            }
        }
        try finishBatch()
        try journal.commit()
    }

    private var isBatchFull: Bool { batchCount >= Self.batchSize || journal.pendingSize >= Self.batchLimit }

    private static func meet(
        _ entry: TreeEntry, in folder: OpenFolder, _ prefix: [UInt8], _ ranges: IDRanges, _ place: Tree.Place, _ known: JournalIndex,
        _ met: inout Met
    ) {
        let isGiven = ranges.given(entry.owner) == entry.owner
        if known.owner(of: entry.status.inode, birth: place.birth(of: entry.status)) == nil {
            let capability =
                isGiven ? .success(.none) : Result { () throws(SystemError) in try Self.capability(of: entry, in: folder) }
            guard capability == .success(.none) else { return met.remaining.append((entry, capability)) }
            met.records.add(JournalEntry(entry, path: entry.path(below: prefix), place, capability: []), isNew: known.isEmpty)
        }
        if isGiven { met.given.append(entry) } else { met.files.append(entry) }
    }

    /// Adds what was not found out by the threads.
    private func add(_ entry: TreeEntry, _ found: Result<Capability, SystemError>) throws(SystemError) {
        let status = entry.status
        if journal.index.owner(of: status.inode, birth: tree.birth(of: status)) == nil {
            guard let capability = try value(of: found.get(), entry) else { return }
            journal.add(.entry(JournalEntry(entry, path: entry.path, tree.place, capability: capability)))
        }
        if ranges.given(entry.owner) == entry.owner { noteGiven(entry) } else { addToBatch([entry]) }
    }

    private func addToBatch(_ files: [TreeEntry]) {
        if files.isEmpty { return }
        batch.append(files)
        batchCount += files.count
    }

    /// A file that another process has given before it could write down when: that is now, if nobody has changed the file meanwhile.
    private func noteGiven(_ entry: TreeEntry) {
        let status = entry.status
        guard let special = journal.index.specials[status.inode], special.changed == nil, !special.isReturning,
            special.size == status.size, special.modified == status.modification
        else { return }
        journal.add(.given(inode: status.inode, changed: status.change))
    }

    /// Whether a file has capabilities.
    private enum Capability: Sendable {
        case none, some
        /// It has changed since it was looked at.
        case gone
    }

    private static func capability(of entry: TreeEntry, in folder: OpenFolder) throws(SystemError) -> Capability {
        guard entry.status.kind == .file, let name = entry.name else { return .none }
        do throws(SystemError) {
            return try folder.hasAttribute(capability, of: name) ? .some : .none
        } catch {
            if error.errno == .noSuchFileOrDirectory { return .gone }
            throw error
        }
    }

    /// Few files have capabilities; of those it must be this file's, and not that of another that got the name.
    ///
    /// - Returns: nil if it has changed since it was looked at.
    private func value(of found: Capability, _ entry: TreeEntry) throws(SystemError) -> [UInt8]? {
        switch found {
        case .none: []
        case .gone: nil
        case .some: try tree.pin(entry) { (pinned) throws(SystemError) in try pinned.attribute(Self.capability) ?? [] }
        }
    }

    private func finishBatch() throws(SystemError) {
        // With what the last batch has done, also if this one is not wanted any more.
        try journal.commit()
        guard isWanted() else { throw SystemError("chown", .canceled, on: "the tree", hint: "the container has gone meanwhile") }
        let least = Self.leastOfThread
        let parts = batch.flatMap { files in
            stride(from: 0, to: files.count, by: least).map { files[$0..<min($0 + least, files.count)] }
        }
        let isWorthThreads = isInParallel && batchCount >= 2 * least
        (batch, batchCount) = ([], 0)
        let pieces = ParallelWork.map(parts, atLeast: isWorthThreads ? 1 : .max, named: "chown") {
            [ranges, specials = journal.index.specials, place = tree.place] parts in
            Self.give(parts, ranges, specials, Tree(at: place))
        }
        for given in pieces.flatMap(\.given) { journal.add(.given(inode: given.inode, changed: given.changed)) }
        guard let failure = pieces.lazy.compactMap(\.failure).first else { return }
        // What was done counts, whoever goes on with it.
        try journal.commit()
        throw failure
    }

    /// - Returns: of special files, when they were changed; and the failure that was the end of it.
    private static func give(
        _ parts: ArraySlice<ArraySlice<TreeEntry>>, _ ranges: IDRanges, _ specials: [UInt64: JournalIndex.Special], _ tree: Tree
    ) -> (given: [(inode: UInt64, changed: EntryStatus.Time)], failure: SystemError?) {
        var given: [(inode: UInt64, changed: EntryStatus.Time)] = []
        do throws(SystemError) {
            for files in parts {
                // By index: a copy of each would be counted for all that it refers to.
                for index in files.indices {
                    let (inode, new) = (files[index].status.inode, ranges.given(files[index].owner))
                    let isSpecial = specials[inode] != nil
                    // What is not the same any more is left.
                    let changed = try tree.pin(files[index]) { (pinned) throws(SystemError) in try give(pinned, to: new, isSpecial) }
                    if let changed, let changed { given.append((inode, changed)) }
                }
            }
            return (given, nil)
        } catch {
            return (given, error)
        }
    }

    private static func give(
        _ pinned: borrowing PinnedEntry, to new: FileOwner, _ isSpecial: Bool
    ) throws(SystemError) -> EntryStatus.Time? {
        try pinned.setOwner(user: new.user, group: new.group)
        return isSpecial ? try pinned.status().change : nil
    }
}

extension TreeEntry {
    /// Whether it has no other name.
    fileprivate var isAlone: Bool { status.kind == .folder || status.links == 1 }
}

extension JournalEntry {
    fileprivate init(_ entry: TreeEntry, path: [UInt8], _ place: Tree.Place, capability: [UInt8]) {
        let status = entry.status
        self.init(
            path: path, inode: status.inode, birth: place.birth(of: status), user: status.user, group: status.group,
            isFile: status.kind == .file, mode: status.mode, size: status.size, modified: status.modification, capability: capability)
    }
}
