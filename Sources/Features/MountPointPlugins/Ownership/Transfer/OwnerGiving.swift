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
    private var batch: [TreeEntry] = []
    /// Of files with several names, those that were met.
    private var linked: [UInt64: [TreeEntry]] = [:]
    private var isInParallel = true

    /// A file that has been looked at.
    private struct Met: Sendable {
        var capability: Result<Capability, SystemError>
        /// What is written down of it; nil if that has to be found out.
        var record: EncodedEntry?
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
        let examine = Tree.Examination.byName { [ranges, place = tree.place] entry, folder, prefix in
            if ranges.given(entry.owner) == entry.owner { return Met(capability: .success(.none)) }
            let capability = Result { () throws(SystemError) in try Self.capability(of: entry, in: folder) }
            // Here, and not where the rest is written down, since this is done by several threads.
            guard capability == .success(.none), entry.isAlone else { return Met(capability: capability) }
            let record = JournalEntry(entry, path: entry.path(below: prefix), place, capability: [])
            return Met(capability: capability, record: EncodedEntry(record))
        }
        _ = try tree.walk(examining: examine) { (entry, met) throws(SystemError) in
            try look(at: entry, met)
        }
        try finishBatch()
        // Of several names of one file only the first finds it as it was.
        isInParallel = false
        for entries in linked.values {
            guard let first = entries.first, entries.count == Int(first.status.links) else { continue }
            for entry in entries {
                guard let folder = try tree.open(entry.folder) else { continue }
                try add(entry, Met(capability: .success(Self.capability(of: entry, in: folder))))
            }
        }
        try finishBatch()
        try journal.commit()
    }

    private func look(at entry: TreeEntry, _ met: Met) throws(SystemError) {
        let owner = entry.owner
        // Also what belongs to the new owner already: else it would count as made by the container at the end.
        if ranges.given(owner) == owner && ranges.returned(owner) == owner { return }
        if entry.isAlone {
            try add(entry, met)
        } else {
            linked[entry.status.inode, default: []].append(entry)
        }
    }

    private func add(_ entry: TreeEntry, _ met: Met) throws(SystemError) {
        let status = entry.status
        let isGiven = ranges.given(entry.owner) == entry.owner
        if journal.index.owner(of: status.inode, birth: tree.birth(of: status)) == nil {
            if let record = met.record {
                journal.add(record)
            } else {
                guard let capability = try value(of: met.capability.get(), entry) else { return }
                journal.add(EncodedEntry(JournalEntry(entry, path: entry.path, tree.place, capability: capability)))
            }
        }
        if isGiven { noteGiven(entry) } else { batch.append(entry) }
        if batch.count >= Self.batchSize || journal.pendingSize >= Self.batchLimit { try finishBatch() }
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
        let files = batch.map { (entry: $0, isSpecial: journal.index.specials[$0.status.inode] != nil) }
        batch.removeAll(keepingCapacity: true)
        let least = isInParallel ? Self.leastOfThread : Int.max
        let pieces = ParallelWork.map(files, atLeast: least, named: "chown") { [ranges, place = tree.place] files in
            Self.give(files, ranges, Tree(at: place))
        }
        for given in pieces.flatMap(\.given) { journal.add(.given(inode: given.inode, changed: given.changed)) }
        guard let failure = pieces.lazy.compactMap(\.failure).first else { return }
        // What was done counts, whoever goes on with it.
        try journal.commit()
        throw failure
    }

    /// - Returns: of special files, when they were changed; and the failure that was the end of it.
    private static func give(
        _ files: ArraySlice<(entry: TreeEntry, isSpecial: Bool)>, _ ranges: IDRanges, _ tree: Tree
    ) -> (given: [(inode: UInt64, changed: EntryStatus.Time)], failure: SystemError?) {
        var given: [(inode: UInt64, changed: EntryStatus.Time)] = []
        do throws(SystemError) {
            // By index: a copy of each would be counted for all that it refers to.
            for index in files.indices {
                let (status, isSpecial) = (files[index].entry.status, files[index].isSpecial)
                let new = ranges.given(FileOwner(user: status.user, group: status.group))
                // What is not the same any more is left.
                let changed = try tree.pin(files[index].entry) { (pinned) throws(SystemError) in try give(pinned, to: new, isSpecial) }
                if let changed, let changed { given.append((status.inode, changed)) }
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
