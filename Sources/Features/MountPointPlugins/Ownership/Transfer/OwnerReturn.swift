// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import SystemPackage

/// What became of a tree that was given back.
public struct ReturnedTree: Sendable, Equatable {
    public var source: String
    /// Files that belong again to whom they belonged before.
    public var returned = 0
    /// Files that the container made, and that belong to the source's owner now.
    public var made = 0
    /// Files that were left, each with the reason.
    public var left: [String] = []

    public var text: String {
        var parts = ["\(source): \(returned) given back"]
        if made > 0 { parts.append("\(made) that the container made or changed") }
        return ([parts.joined(separator: ", ")] + left.map { "  left: \($0)" }).joined(separator: "\n") + "\n"
    }
}

/// Gives the files of a tree back: what the journal has to whom it belonged, and what belongs to the container's user besides to the owner
/// of the source.
///
/// Files are known by their inodes, wherever in the tree they are by now. What was given back before is passed over.
final class OwnerReturn {
    private let transfer: KeptTransfer
    private let tree: Tree
    private let journal: TransferJournal
    private var outcome: ReturnedTree
    private var failures: [SystemError] = []
    private var linked: [UInt64: [TreeEntry]] = [:]
    private var specials: [UInt64: TreeEntry] = [:]

    /// What becomes of an entry.
    private enum Fate: Sendable {
        case stays
        /// It had set-id bits or capabilities.
        case special
        /// - isMade: whether the journal does not have it.
        case changes(FileOwner, isMade: Bool)
    }

    /// What a thread has met, and what has become of it.
    private struct Met: Sendable {
        var returned = 0
        var made = 0
        var failures: [SystemError] = []
        /// Left to one thread.
        var remaining: [(entry: TreeEntry, fate: Fate)] = []

        mutating func give(_ pinned: borrowing PinnedEntry, to owner: FileOwner, isMade: Bool) {
            do throws(SystemError) {
                try pinned.setOwner(user: owner.user, group: owner.group)
                if isMade { made += 1 } else { returned += 1 }
            } catch {
                failures.append(error)
            }
        }
    }

    /// So often a tree is walked in which others move folders meanwhile.
    private static let mostWalks = 3
    private static let mostNamed = 20
    private static let capability = "security.capability"

    private init(_ transfer: KeptTransfer, _ path: FilePath) throws(SystemError) {
        self.transfer = transfer
        tree = try Tree(transfer)
        journal = try TransferJournal(path)
        outcome = ReturnedTree(source: transfer.source)
    }

    /// Returns when all is on the disk: whoever comes next, and whoever unmounts the source, finds nothing under way.
    ///
    /// - Throws: `PluginError` that names the first file that could not be given back; all others were.
    static func run(_ transfer: KeptTransfer, journal: FilePath) throws(PluginError) -> ReturnedTree {
        let what = "\(transfer.source) still belongs to \(transfer.ranges.given(transfer.owner))"
        let work: OwnerReturn
        do throws(SystemError) {
            work = try OwnerReturn(transfer, journal)
            try work.run()
        } catch {
            throw PluginError("\(what), since it could not be given back: \(error)")
        }
        guard let first = work.failures.first else { return work.outcome }
        throw PluginError("\(what) in part, since \(work.failures.count) files could not be given back, first of all: \(first)")
    }

    private func run() throws(SystemError) {
        for _ in 0..<Self.mostWalks {
            linked = [:]
            var isWhole = true
            do throws(SystemError) {
                // What was found until an error goes back.
                let examine = Tree.Examination<Met>.held { [transfer, index = journal.index, place = tree.place] entry, pinned, met in
                    Self.meet(entry, pinned, Self.fate(of: entry, place, transfer, index), &met)
                }
                isWhole = try tree.walk(from: Met(), examining: examine) { (met) throws(SystemError) in note(met) }
            } catch {
                failures.append(error)
            }
            if isWhole { break }
        }
        for entries in linked.values {
            guard let first = entries.first else { continue }
            if entries.count == Int(first.status.links) {
                for entry in entries { change(entry, to: transfer.ranges.returned(entry.owner), isMade: true) }
            } else {
                leave(first, "it has a name outside the tree")
            }
        }
        try returnSpecials()
        try tree.place.sync()
    }

    private func leave(_ entry: TreeEntry, _ reason: String) {
        if outcome.left.count < Self.mostNamed { outcome.left.append("\(String(decoding: entry.path, as: UTF8.self)): \(reason)") }
    }

    private static func fate(of entry: TreeEntry, _ place: Tree.Place, _ transfer: KeptTransfer, _ index: JournalIndex) -> Fate {
        let status = entry.status
        let owner: FileOwner
        let before = index.owner(of: status.inode, birth: place.birth(of: status))
        if let before {
            if index.specials[status.inode] != nil { return .special }
            owner = target(entry, FileOwner(user: before.user, group: before.group), transfer)
        } else {
            // Before all had been written down, no container had begun to make anything.
            if transfer.isGiven ? !transfer.isComplete : status.change < transfer.since { return .stays }
            owner = transfer.ranges.returned(entry.owner)
        }
        return owner == entry.owner ? .stays : .changes(owner, isMade: before == nil)
    }

    /// Whose a file becomes that was `before`'s: what somebody gave to a third one meanwhile stays so.
    private static func target(_ entry: TreeEntry, _ before: FileOwner, _ transfer: KeptTransfer) -> FileOwner {
        let given = transfer.ranges.given(before)
        return FileOwner(
            user: entry.owner.user == given.user ? before.user : entry.owner.user,
            group: entry.owner.group == given.group ? before.group : entry.owner.group)
    }

    /// Changes the owner of what has one name. Of several names of one file only the first finds it as it was, so these are left to one
    /// thread.
    private static func meet(_ entry: TreeEntry, _ pinned: borrowing PinnedEntry, _ fate: Fate, _ met: inout Met) {
        switch fate {
        case .stays: return
        case .changes(let owner, let isMade) where entry.status.kind == .folder || entry.status.links == 1:
            met.give(pinned, to: owner, isMade: isMade)
        case .special, .changes: met.remaining.append((entry, fate))
        }
    }

    private func note(_ met: Met) {
        outcome.returned += met.returned
        outcome.made += met.made
        failures += met.failures
        for (entry, fate) in met.remaining {
            switch fate {
            case .stays: continue
            case .special: specials[entry.status.inode] = entry
            case .changes(let owner, let isMade):
                if isMade { linked[entry.status.inode, default: []].append(entry) } else { change(entry, to: owner, isMade: false) }
            }
        }
    }

    private func change(_ entry: TreeEntry, to owner: FileOwner, isMade: Bool) {
        if owner == entry.owner { return }
        var met = Met()
        do throws(SystemError) {
            _ = try tree.pin(entry) { (pinned) throws(SystemError) in met.give(pinned, to: owner, isMade: isMade) }
        } catch {
            met.failures.append(error)
        }
        note(met)
    }

    // MARK: Set-uid, set-gid and capabilities

    /// They come back only to files that nobody has changed: else the container could have its own program run with them.
    private func returnSpecials() throws(SystemError) {
        var worthy: Set<UInt64> = []
        for (inode, entry) in specials {
            guard let special = journal.index.specials[inode] else { continue }
            if isUnchanged(entry, special) {
                worthy.insert(inode)
                if !special.isReturning { journal.add(.returning(inode: inode)) }
            }
        }
        try journal.commit()
        for (inode, entry) in specials {
            guard let special = journal.index.specials[inode], let before = journal.index.owners[inode] else { continue }
            do throws(SystemError) {
                try carryOut(entry, special, FileOwner(user: before.user, group: before.group), isWorthy: worthy.contains(inode))
            } catch {
                failures.append(error)
            }
        }
    }

    private func isUnchanged(_ entry: TreeEntry, _ special: JournalIndex.Special) -> Bool {
        if let changed = special.changed, !special.isReturning { return changed == entry.status.change }
        // Nobody can tell whether a container has changed it.
        if transfer.isGiven && transfer.isComplete && !special.isReturning { return false }
        // Its owner was changed, and the process killed before it could look when; or it is on its way back, after a kill.
        return entry.status.size == special.size && entry.status.modification == special.modified
    }

    private func carryOut(
        _ entry: TreeEntry, _ special: JournalIndex.Special, _ before: FileOwner, isWorthy: Bool
    ) throws(SystemError) {
        let owner = Self.target(entry, before, transfer)
        let folder = try tree.open(entry.folder)
        if owner == entry.owner && entry.status.mode == special.mode {
            guard let folder, let name = entry.name else { return }
            let capability = special.capability.isEmpty ? [] : try folder.attribute(Self.capability, of: name)
            if capability == special.capability { return }
        }
        let isDone = try tree.pin(entry) { (pinned) throws(SystemError) -> Bool in
            if owner != entry.owner { try pinned.setOwner(user: owner.user, group: owner.group) }
            guard isWorthy && owner == before else { return true }
            try pinned.setMode(to: special.mode)
            if !special.capability.isEmpty { try pinned.setAttribute(Self.capability, to: special.capability) }
            return true
        }
        guard isDone == true else { return }
        outcome.returned += 1
        if !isWorthy { leave(entry, "it was changed, so that its set-id bits and capabilities are not put back") }
    }
}
