// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport

/// What the device mapper's target log-writes has noted: what was written to a disk, in the order in which it could last. As the kernel's
/// Documentation/admin-guide/device-mapper/log-writes.rst says, writes come before the flush that made them last.
struct WriteLog {
    struct Entry {
        /// Of the disk, in bytes.
        var offset: Int
        var length: Int
        /// Of the log.
        var data: Range<Int>
        var isFlush = false
        /// It lasts although no flush follows.
        var isForced = false
        var isDiscard = false
        /// What somebody wanted to be noted at this place; such an entry writes nothing.
        var mark: String?

        var changesSomething: Bool { mark == nil && length > 0 }
    }

    private let bytes: [UInt8]
    let entries: [Entry]

    private static let magic = 0x6a_7366_7773_6872

    /// - Throws: `Trouble` if it is no log, or is not complete.
    init(parsing bytes: [UInt8]) throws {
        func number(_ offset: Int, _ size: Int = 8) throws -> Int {
            guard offset >= 0, offset + size <= bytes.count else { throw Trouble("the log of writes ends at byte \(bytes.count)") }
            let value = (0..<size).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[offset + $1]) }
            guard value < 1 << 62 else { throw Trouble("no number of a log of writes at byte \(offset)") }
            return Int(value)
        }
        guard try number(0) == Self.magic, try number(8) == 1 else { throw Trouble("no log of writes of version 1") }
        let (count, sector) = (try number(16), try number(24, 4))
        guard (512...65536).contains(sector) else { throw Trouble("sectors of \(sector) bytes") }
        var entries: [Entry] = []
        var place = sector
        for _ in 0..<count {
            let (start, length, flags, size) = (try number(place), try number(place + 8), try number(place + 16), try number(place + 24))
            var entry = Entry(offset: start * sector, length: length * sector, data: place + sector..<place + sector)
            entry.isFlush = flags & 1 != 0
            entry.isForced = flags & 2 != 0
            entry.isDiscard = flags & 4 != 0
            if flags & 8 != 0 {
                guard size <= sector - 32, place + 32 + size <= bytes.count else { throw Trouble("a mark of \(size) bytes") }
                entry.mark = String(decoding: bytes[place + 32..<place + 32 + size].prefix { $0 != 0 }, as: UTF8.self)
                entry.length = 0
            } else if !entry.isDiscard {
                entry.data = place + sector..<place + sector + entry.length
                guard entry.data.upperBound <= bytes.count else { throw Trouble("the log of writes ends at byte \(bytes.count)") }
            }
            place = entry.data.upperBound
            entries.append(entry)
        }
        self.bytes = bytes
        self.entries = entries
    }

    /// - Throws: `Trouble` if the entry reaches over the end.
    func apply(_ entry: Entry, to disk: inout [UInt8]) throws {
        guard entry.changesSomething else { return }
        let end = entry.offset + entry.length
        guard end <= disk.count else { throw Trouble("a write up to byte \(end) of \(disk.count)") }
        if entry.isDiscard {
            for place in entry.offset..<end { disk[place] = 0 }
        } else {
            disk.replaceSubrange(entry.offset..<end, with: bytes[entry.data])
        }
    }
}
