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

    private static let batchSize = 16 << 10
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
    static func run(_ transfer: KeptTransfer, journal: FilePath, while isWanted: @escaping () -> Bool) throws(PluginError) {
        do throws(SystemError) {
            try OwnerGiving(transfer, journal, isWanted).run()
        } catch {
            throw PluginError("the files of \(transfer.source) cannot be given to \(transfer.ranges.given(transfer.owner)): \(error)")
        }
    }

    private func run() throws(SystemError) {
        _ = try tree.walk { (entry, folder) throws(SystemError) in try look(at: entry, in: folder) }
        for entries in linked.values {
            guard let first = entries.first, entries.count == Int(first.status.links) else { continue }
            for entry in entries {
                if let folder = try tree.open(entry.folder) { try add(entry, in: folder) }
            }
        }
        try finishBatch()
        try journal.commit()
    }

    private func look(at entry: TreeEntry, in folder: OpenFolder) throws(SystemError) {
        let owner = entry.owner
        // Also what belongs to the new owner already: else it would count as made by the container at the end.
        if ranges.given(owner) == owner && ranges.returned(owner) == owner { return }
        if entry.status.kind != .folder && entry.status.links > 1 {
            linked[entry.status.inode, default: []].append(entry)
        } else {
            try add(entry, in: folder)
        }
    }

    private func add(_ entry: TreeEntry, in folder: OpenFolder) throws(SystemError) {
        let status = entry.status
        let isGiven = ranges.given(entry.owner) == entry.owner
        if journal.index.owner(of: status.inode, birth: tree.birth(of: status)) == nil {
            guard let capability = try isGiven || status.kind != .file ? [] : capability(of: entry, in: folder) else { return }
            journal.add(
                .entry(
                    JournalEntry(
                        path: entry.path, inode: status.inode, birth: tree.birth(of: status), user: status.user, group: status.group,
                        isFile: status.kind == .file, mode: status.mode, size: status.size, modified: status.modification,
                        capability: capability)))
        }
        if !isGiven { batch.append(entry) }
        if batch.count >= Self.batchSize || journal.pendingSize >= Self.batchLimit { try finishBatch() }
    }

    /// - Returns: nil if it has changed since it was looked at.
    private func capability(of entry: TreeEntry, in folder: OpenFolder) throws(SystemError) -> [UInt8]? {
        guard let name = entry.name else { return [] }
        do throws(SystemError) {
            if try folder.attribute(Self.capability, of: name) == nil { return [] }
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw error
        }
        // Few have one; of those it must be this file's, and not that of another that got the name.
        return try tree.pin(entry) { (pinned) throws(SystemError) in try pinned.attribute(Self.capability) ?? [] }
    }

    private func finishBatch() throws(SystemError) {
        guard isWanted() else { throw SystemError("chown", .canceled, on: "the tree", hint: "the container has gone meanwhile") }
        try journal.commit()
        for entry in batch {
            let new = ranges.given(entry.owner)
            let isSpecial = journal.index.specials[entry.status.inode] != nil
            // What has changed since it was looked at is left.
            let changed = try tree.pin(entry) { (pinned) throws(SystemError) -> EntryStatus.Time? in
                try pinned.setOwner(user: new.user, group: new.group)
                return isSpecial ? try pinned.status().change : nil
            }
            if let changed, let changed { journal.add(.given(inode: entry.status.inode, changed: changed)) }
        }
        batch.removeAll(keepingCapacity: true)
    }
}
