// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Looking for what a deletion could not go through: a mount point of this host, or an export of the server below an export.
extension MountedTree {
    /// Directories that are opened by one sequence of calls.
    private static let batch = 64
    /// Bytes of names that are read of each of them at first; one with more is read by itself.
    private static let firstNames = 8 << 10
    private static let mostNames = 16 << 20

    /// The first directory found at or below this one in which another file system begins.
    ///
    /// - Returns: nil if there is none, or if half of the time was not enough to look at all: what is there is met later then.
    func otherFileSystem(below directory: Subdirectory) throws(TreeError) -> String? {
        let half = Deadline(ContinuousClock.now + deadline.remaining / 2)
        let tree = MountedTree(mountedAt: root, program: program, until: half)
        let top = directory.components.map { Array($0.utf8) }
        var found: String?
        do throws(TreeError) {
            // A directory, and the directories in it that are to be looked at.
            guard var pending = try tree.look(at: Array(top.dropLast()), [top[top.count - 1]], &found) else { return found }
            while let (parent, children) = pending.popLast() {
                for start in stride(from: 0, to: children.count, by: Self.batch) {
                    let part = Array(children[start..<min(start + Self.batch, children.count)])
                    guard let more = try tree.look(at: parent, part, &found) else { return found }
                    pending += more
                }
            }
        } catch {
            // Anything else that is wrong with the tree is for those to say who change it.
            return nil
        }
        return nil
    }

    /// Opens directories and reads which directories are in them.
    ///
    /// - Returns: those that have some; nil if one of those opened is of another file system, which is `found` then.
    private func look(at parent: [Name], _ names: [Name], _ found: inout String?) throws(TreeError) -> [([Name], [Name])]? {
        let sequence = SystemCallSequence()
        let handle = open(parent, in: sequence)
        let looks = names.map { name in
            let text = Self.text(parent + [name])
            let buffer = sequence.buffer(Self.firstNames)
            let opened = sequence.add(.openDirectoryOfSameMount(name, in: handle, operand: text, options: .mayFail))
            let readable = sequence.add(.openForReading(opened, operand: text, options: .mayFail, if: opened))
            let count = sequence.add(.directoryEntries(of: readable, into: buffer, options: .mayFail, if: readable))
            let rest = sequence.buffer(Self.firstNames)
            let end = sequence.add(.directoryEntries(of: readable, into: rest, options: .mayFail, if: readable))
            for descriptor in [readable, opened] { sequence.add(.close(descriptor)) }
            return (opened: opened, count: count, buffer: buffer, end: end)
        }
        try run(sequence, Self.text(parent))
        if let error = firstError(sequence) {
            if error.errno == .improperLink { found = error.operand }
            return error.errno == .improperLink ? nil : []
        }
        var inside: [([Name], [Name])] = []
        for (name, look) in zip(names, looks) {
            if sequence.error(of: look.opened)?.errno == .improperLink {
                found = Self.text(parent + [name])
                return nil
            }
            guard case .success(let count) = sequence.result(of: look.count), count > 0 else { continue }
            let isAll = sequence.result(of: look.end) == .success(0)
            let bytes = isAll ? sequence.bytes(of: look.buffer, count: count) : try allEntries(of: parent + [name])
            let directories = DirectoryEntries.entries(in: bytes).filter(\.mayBeDirectory).map(\.name)
            if !directories.isEmpty { inside.append((parent + [name], directories)) }
        }
        return inside
    }

    /// The records of a long directory, as many as there is room for.
    private func allEntries(of directory: [Name]) throws(TreeError) -> [UInt8] {
        var size = 16 * Self.firstNames
        while true {
            let sequence = SystemCallSequence()
            let handle = open(directory, in: sequence)
            let readable = sequence.add(.openForReading(handle, operand: Self.text(directory)))
            let reads = (0..<size / (64 << 10)).map { _ in
                let buffer = sequence.buffer(64 << 10)
                return (count: sequence.add(.directoryEntries(of: readable, into: buffer)), buffer: buffer)
            }
            try run(sequence, Self.text(directory))
            let isAll = reads.contains { sequence.result(of: $0.count) == .success(0) } || firstError(sequence) != nil
            if isAll || size >= Self.mostNames {
                return reads.flatMap { read -> [UInt8] in
                    guard case .success(let count) = sequence.result(of: read.count) else { return [] }
                    return sequence.bytes(of: read.buffer, count: count)
                }
            }
            size *= 4
        }
    }
}
