// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import SystemPackage

/// Gives trees to containers, and back. Every step can be cut off and is taken up by the next call for the same container, in this process
/// or another.
struct Transfers: Sendable {
    let store: TransferStore
    private let containers: FilePath
    private let mapped: MappedMounts

    /// - Parameter state: the instance's folder.
    init(in state: FilePath) {
        store = TransferStore(in: state)
        containers = state
        mapped = MappedMounts(in: state)
    }

    /// The frame writes a container's file before it asks for anything, and removes it after all was undone: a holder without one is a
    /// call that went on after its host had given up.
    private func isThere(_ holder: KeptTransfer.Holder) -> Bool {
        (try? LinuxSystem.mode(of: containers.appending(holder.id + ".json"))) != nil
    }

    /// All that there are, without holders that are none; written if that changes them.
    private func transfers() throws(PluginError) -> [(number: Int, transfer: KeptTransfer)] {
        var all = try store.all()
        for (index, (number, transfer)) in all.enumerated() where !transfer.isReturning {
            let holders = transfer.holders.filter(isThere)
            if holders == transfer.holders { continue }
            all[index].transfer.holders = holders
            try store.replace(number, with: all[index].transfer)
        }
        return all
    }

    // MARK: What is in the way

    /// A transfer of a tree that has something in common with this place, whose files belong to a container's user.
    func transfer(around location: TreeLocation) throws(PluginError) -> KeptTransfer? {
        try given().first { location.relation(to: $0.transfer.location) != .apart }?.transfer
    }

    /// Those whose files belong to a container's user.
    private func given() throws(PluginError) -> [(number: Int, transfer: KeptTransfer)] {
        try store.all().filter(\.transfer.isGiven)
    }

    /// Whose the root of a tree is when no container has it.
    func originalOwner(of source: OwnedSource, _ location: TreeLocation) throws(PluginError) -> FileOwner {
        for (number, transfer) in try given() {
            guard [.same, .inside].contains(location.relation(to: transfer.location)) else { continue }
            // After a look at the owner: it is written down before it is changed.
            let journal: TransferJournal
            do throws(SystemError) { journal = try TransferJournal(store.journal(of: number), isShared: true) } catch {
                throw PluginError("the owner of \(source.place) is not known: \(error)")
            }
            let known = journal.index.owners[source.inode]
            return known.map { FileOwner(user: $0.user, group: $0.group) } ?? transfer.ranges.returned(source.owner)
        }
        return source.owner
    }

    /// - Throws: `PluginError` if the tree cannot be had now.
    func check(_ wanted: KeptTransfer) throws(PluginError) {
        let all = try store.all()
        if case .deny(let number) = TransferDecision(wanted, among: all) { throw Self.denial(wanted, all, number) }
        // What is left of the container's own last run is undone before it takes part.
        try mapped.check(wanted, besides: wanted.holders.first?.id)
    }

    private static func denial(_ wanted: KeptTransfer, _ all: [(number: Int, transfer: KeptTransfer)], _ number: Int) -> PluginError {
        let other = all.first { $0.number == number }?.transfer
        return PluginError(other?.denial(of: wanted.source) ?? "\(wanted.source) is given to another container")
    }

    // MARK: To the container

    /// Has a container take part in a transfer of a tree, and returns when it has the tree.
    ///
    /// - Parameter wanted: with the container as the only holder.
    /// - Throws: `PluginError`; call ``release(_:)`` then, too.
    func take(_ wanted: KeptTransfer) throws(PluginError) {
        while true {
            let lock = try store.lock()
            // It may have waited long for another tree, and nobody would give back what is given to a container that has gone.
            guard wanted.holders.allSatisfy(isThere) else { throw Self.gone }
            let all = try transfers()
            var numbers: [Int]
            switch TransferDecision(wanted, among: all) {
            case .deny(let number): throw Self.denial(wanted, all, number)
            case .finish(let number):
                lock.leaveToChildren()
                _ = try giveBack(number)
                continue
            case .join(let found): numbers = found
            case .begin(let found):
                numbers = found
                var transfer = wanted
                transfer.excluded = all.filter { found.contains($0.number) }.map(\.transfer.inode)
                numbers.append(try store.add(transfer))
            }
            for (number, transfer) in all where numbers.contains(number) {
                var transfer = transfer
                transfer.holders += wanted.holders.filter { !transfer.isHeld(by: $0.key) }
                try store.replace(number, with: transfer)
            }
            lock.leaveToChildren()
            // Another may have mapped the tree since this was planned. By now each sees what the other has written down.
            try mapped.check(wanted)
            for number in numbers { try complete(number, for: wanted.holders) }
            return
        }
    }

    private static let gone = PluginError("the container has gone meanwhile")

    /// Gives a container what is left to be given, or waits for who is at it.
    private func complete(_ number: Int, for holders: [KeptTransfer.Holder]) throws(PluginError) {
        guard let lock = try store.lock(number) else { throw Self.gone }
        defer { lock.leaveToChildren() }
        let isWanted = { () -> Bool in
            guard let now = (try? store.read(number)) ?? nil, !now.isReturning else { return false }
            return holders.allSatisfy { now.isHeld(by: $0.key) && isThere($0) }
        }
        guard let transfer = try store.read(number), isWanted() else { throw Self.gone }
        if !transfer.isGiven || transfer.isComplete { return }
        try OwnerGiving.run(transfer, journal: store.journal(of: number), while: isWanted)
        let all = try store.lock()
        defer { all.leaveToChildren() }
        guard var now = try store.read(number), isWanted() else { throw Self.gone }
        now.isComplete = true
        try store.replace(number, with: now)
    }

    // MARK: Back to the owner

    /// Has a container take part no longer, and gives back what none takes part in.
    ///
    /// - Parameter key: of the holder.
    /// - Returns: what was given back.
    /// - Throws: `PluginError`: something still belongs to the container's user. The same call tries it again.
    func release(_ key: String) throws(PluginError) -> [ReturnedTree] {
        // Given back already, by a call that was cut off behind it, or never given.
        if try !store.all().contains(where: { $0.transfer.isHeld(by: key) }) {
            if store.isThere {
                let lock = try store.lock()
                defer { lock.leaveToChildren() }
                store.removeRemains()
            }
            return []
        }
        var trees: [ReturnedTree] = []
        for number in try letGo(key) {
            if let tree = try giveBack(number) { trees.append(tree) }
        }
        return trees
    }

    /// - Returns: the transfers in which nobody else takes part.
    private func letGo(_ key: String) throws(PluginError) -> [Int] {
        let lock = try store.lock()
        defer { lock.leaveToChildren() }
        var numbers: [Int] = []
        for (number, transfer) in try transfers() where transfer.isHeld(by: key) {
            var transfer = transfer
            if transfer.isReturning || transfer.holders.count == 1 {
                numbers.append(number)
                transfer.isReturning = true
            } else {
                transfer.holders.removeAll { $0.key.hasSameBytes(as: key) }
            }
            try store.replace(number, with: transfer)
        }
        return numbers
    }

    /// Gives a tree back that no container has, and forgets the transfer.
    ///
    /// - Returns: nil if another has done so meanwhile.
    /// - Throws: `PluginError`: something still belongs to the container's user.
    func giveBack(_ number: Int) throws(PluginError) -> ReturnedTree? {
        guard let lock = try store.lock(number) else { return nil }
        defer { lock.leaveToChildren() }
        guard let transfer = try store.read(number), transfer.isReturning || !transfer.holders.contains(where: isThere) else { return nil }
        let tree = try OwnerReturn.run(transfer, journal: store.journal(of: number))
        try forget(number, ifItIs: transfer)
        return tree
    }

    /// Those that no container has.
    func abandoned() throws(PluginError) -> [(number: Int, transfer: KeptTransfer)] {
        try store.all().filter { !$0.transfer.holders.contains(where: isThere) }
    }

    /// Forgets the transfers that would be given back now, whatever became of their trees.
    ///
    /// - Parameter key: of their last holder.
    func forget(heldBy key: String) throws(PluginError) {
        for number in try letGo(key) { try forget(number) }
    }

    /// Forgets a transfer, whatever became of the tree.
    ///
    /// - Parameter known: what it was. If somebody else has forgotten it meanwhile, its number may be another's.
    func forget(_ number: Int, ifItIs known: KeptTransfer? = nil) throws(PluginError) {
        let all = try store.lock()
        defer { all.leaveToChildren() }
        if let known, try store.read(number)?.isSameTransfer(as: known) != true { return }
        do throws(SystemError) { try store.remove(number) } catch { throw PluginError("cannot forget a transfer: \(error)") }
    }
}

extension KeptTransfer {
    /// Why another container cannot have it in another way.
    func denial(of wanted: String) -> String {
        let users = holders.map { $0.name.isEmpty ? String($0.id.prefix(12)) : $0.name }.joined(separator: ", ")
        let tree =
            wanted.hasSameBytes(as: place) || wanted.hasSameBytes(as: source)
            ? wanted : "\(wanted) has files in common with \(source), which"
        let what = isGiven ? "belongs to \(ranges.given(owner))" : "is not given to another user"
        return "\(tree) \(what) while container \(users) runs; run both as one user with mode=transfer, or one after the other"
    }

    /// Whether it is the same one, whoever takes part in it by now.
    func isSameTransfer(as other: KeptTransfer) -> Bool {
        inode == other.inode && location == other.location && since == other.since && boot.hasSameBytes(as: other.boot)
    }

    func isHeld(by key: String) -> Bool { holders.contains { $0.key.hasSameBytes(as: key) } }
}
