// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import SystemPackage

/// The file that says whose each file of a tree was. It only grows, batch by batch, and a batch is on the disk before an owner of its
/// files is changed.
///
/// A batch is its length, its checksum and its records. One that was cut off counts for nothing, as nothing of it was carried out.
final class TransferJournal {
    /// What the file has so far.
    private(set) var index = JournalIndex()
    private let file: AppendedFile
    private var batch: [UInt8] = []
    private var size = 0
    /// Bytes of the records that are not on the disk for certain.
    private(set) var pendingSize = 0

    /// "OWN2", then a number of 4 bytes for the length of the records, and one of 8 for their checksum.
    private static let mark: [UInt8] = Array("OWN2".utf8)
    private static let headSize = 16
    /// Bytes. A batch of the size at which it is written, and one part of a thread's entries more, are below it.
    private static let longestBatch = 16 << 20
    private static let usualBatch = 4 << 20

    /// Opens it, and makes it if it is not there.
    ///
    /// - Parameter isShared: whether another may add to it meanwhile. If not, what was cut off at its end is taken away.
    init(_ path: FilePath, isShared: Bool = false) throws(SystemError) {
        file = try AppendedFile(path)
        let start = try file.read(Self.mark.count, at: 0)
        if start.starts(with: "OWN".utf8) && start.count == Self.mark.count && start != Self.mark {
            throw SystemError(
                "read", .invalidArgument, on: path.string,
                hint: "another version of this program has written it, and has to give the tree back")
        }
        while let records = try Self.batch(of: file, at: size) {
            size += Self.headSize + records.count
            index.reserve(entriesOf: records.count)
            var rest = records[...]
            while !rest.isEmpty, let record = JournalRecord(consuming: &rest) { index.add(record) }
        }
        if !isShared { try file.truncate(to: size) }
    }

    /// The records of a batch; nil if there is none there that is whole.
    private static func batch(of file: AppendedFile, at offset: Int) throws(SystemError) -> [UInt8]? {
        var head = try file.read(headSize, at: offset)[...]
        guard head.starts(with: mark) else { return nil }
        head = head.dropFirst(mark.count)
        guard let length: UInt32 = head.popNumber(), let checksum: UInt64 = head.popNumber(), length <= longestBatch else { return nil }
        let records = try file.read(Int(length), at: offset + headSize)
        return records.count == Int(length) && Self.checksum(records) == checksum ? records : nil
    }

    func add(_ records: JournalEntries) throws(SystemError) {
        for part in records.parts {
            batch += part
            pendingSize += part.count
            if batch.count >= Self.usualBatch { try write() }
        }
        for entry in records.indexed { index.add(entry) }
    }

    func add(_ record: JournalRecord) {
        pendingSize -= batch.count
        record.write(to: &batch)
        pendingSize += batch.count
        index.add(record)
    }

    /// Writes what was added, and returns when it is on the disk.
    func commit() throws(SystemError) {
        if pendingSize == 0 { return }
        try write()
        try file.sync()
        pendingSize = 0
    }

    private func write() throws(SystemError) {
        if batch.isEmpty { return }
        var bytes = Self.mark
        bytes.append(number: UInt32(clamping: batch.count))
        bytes.append(number: Self.checksum(batch))
        bytes += batch
        try file.append(bytes)
        size += bytes.count
        batch.removeAll(keepingCapacity: true)
    }

    /// FNV-1a, 64 bits, of numbers of 8 bytes, each rotated so that every bit counts in all later ones: a byte at a time would take a
    /// twentieth of the time that the whole tree takes. The last bytes are filled up with zeros: the length is written down, too.
    private static func checksum(_ bytes: [UInt8]) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ number: UInt64) {
            let mixed = hash ^ number
            hash = (mixed << 29 | mixed >> 35) &* 0x100_0000_01b3
        }
        bytes.withUnsafeBytes { bytes in
            let whole = bytes.count & ~7
            for offset in stride(from: 0, to: whole, by: 8) {
                add(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            }
            add(bytes[whole...].reversed().reduce(0) { $0 << 8 | UInt64($1) })
        }
        return hash
    }
}

/// Entries that a thread makes for a journal.
struct JournalEntries: Sendable {
    /// As they are in the file; each part is not much longer than ``partSize``, since paths have no limit.
    fileprivate private(set) var parts: [[UInt8]] = []
    private static let partSize = 1 << 20
    fileprivate private(set) var indexed: [JournalEntry] = []

    /// - Parameter isNew: whether the journal had nothing before. Then nobody asks its index for owners, and most need no place there.
    mutating func add(_ entry: JournalEntry, isNew: Bool) {
        if (parts.last?.count ?? .max) >= Self.partSize { parts.append([]) }
        JournalRecord.entry(entry).write(to: &parts[parts.count - 1])
        if entry.isSpecial || !isNew { indexed.append(entry) }
    }
}

/// What a journal says, by inode; without the paths, since a tree may have millions of files.
struct JournalIndex: Sendable {
    struct Owner: Sendable, Equatable {
        var user: UInt32
        var group: UInt32
        var birth: EntryStatus.Time?
    }

    /// A file that had set-id bits or capabilities.
    struct Special: Sendable, Equatable {
        var mode: UInt32
        var size: UInt64
        var modified: EntryStatus.Time
        var capability: [UInt8]
        /// See ``JournalRecord/given(inode:changed:)``.
        var changed: EntryStatus.Time?
        /// See ``JournalRecord/returning(inode:)``.
        var isReturning = false
    }

    private(set) var owners: [UInt64: Owner] = [:]
    private(set) var specials: [UInt64: Special] = [:]

    fileprivate mutating func add(_ record: JournalRecord) {
        switch record {
        case .entry(let entry): add(entry)
        case .given(let inode, let changed): specials[inode]?.changed = changed
        case .returning(let inode): specials[inode]?.isReturning = true
        }
    }

    fileprivate mutating func add(_ entry: JournalEntry) {
        // Of one file the first entry counts: a later one may have seen what was changed by then.
        if let known = owners[entry.inode], known.birth == entry.birth { return }
        owners[entry.inode] = Owner(user: entry.user, group: entry.group, birth: entry.birth)
        if entry.isSpecial {
            specials[entry.inode] = Special(
                mode: entry.mode, size: entry.size, modified: entry.modified, capability: entry.capability)
        } else if !specials.isEmpty {
            specials[entry.inode] = nil
        }
    }

    var isEmpty: Bool { owners.isEmpty }

    /// Makes place for the entries of so many bytes.
    fileprivate mutating func reserve(entriesOf size: Int) { owners.reserveCapacity(owners.count + size / JournalEntry.usualSize) }

    /// Whose a file was; nil if the journal does not have it.
    func owner(of inode: UInt64, birth: EntryStatus.Time?) -> Owner? {
        guard let owner = owners[inode], owner.birth == birth else { return nil }
        return owner
    }
}
