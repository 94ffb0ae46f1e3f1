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

    /// "OWN1", then a number of 4 bytes for the length of the records, and one of 8 for their checksum.
    private static let mark: [UInt8] = Array("OWN1".utf8)
    private static let headSize = 16
    /// Bytes. A batch of the size at which it is written, and one record more, are below it.
    private static let longestBatch = 16 << 20

    /// Opens it, and makes it if it is not there.
    ///
    /// - Parameter isShared: whether another may add to it meanwhile. If not, what was cut off at its end is taken away.
    init(_ path: FilePath, isShared: Bool = false) throws(SystemError) {
        file = try AppendedFile(path)
        while let records = try Self.batch(of: file, at: size) {
            size += Self.headSize + records.count
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

    /// Bytes of the records that have not been written.
    var pendingSize: Int { batch.count }

    func add(_ record: EncodedEntry) {
        batch += record.bytes
        index.add(record.entry)
    }

    func add(_ record: JournalRecord) {
        record.write(to: &batch)
        index.add(record)
    }

    /// Writes what was added, and returns when it is on the disk.
    func commit() throws(SystemError) {
        if batch.isEmpty { return }
        var bytes = Self.mark
        bytes.append(number: UInt32(clamping: batch.count))
        bytes.append(number: Self.checksum(batch))
        bytes += batch
        try file.append(bytes)
        try file.sync()
        size += bytes.count
        batch.removeAll(keepingCapacity: true)
    }

    /// FNV-1a, 64 bits.
    private static func checksum(_ bytes: [UInt8]) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
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

    /// Whose a file was; nil if the journal does not have it.
    func owner(of inode: UInt64, birth: EntryStatus.Time?) -> Owner? {
        guard let owner = owners[inode], owner.birth == birth else { return nil }
        return owner
    }
}
