// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// What is written down of a file before its owner is changed.
struct JournalEntry: Sendable, Equatable {
    /// Below the tree's root, as bytes; `.` for the root. For people: what counts is the inode.
    var path: [UInt8]
    var inode: UInt64
    /// When the file was made: tells it from a later one of the same inode. Nil if its file system does not know.
    var birth: EntryStatus.Time?
    var user: UInt32
    var group: UInt32
    var isFile: Bool
    /// Permissions with set-uid, set-gid and sticky.
    var mode: UInt32
    /// Bytes.
    var size: UInt64
    var modified: EntryStatus.Time
    /// Its `security.capability`; empty for none.
    var capability: [UInt8]

    /// Bytes of one in the file, with a path that is not long.
    static let usualSize = 100

    /// Whether it has what chown(2) takes away from a file.
    var isSpecial: Bool { isFile && (!capability.isEmpty || mode & 0o6000 != 0) }
}

/// A record of a journal.
enum JournalRecord: Sendable, Equatable {
    case entry(JournalEntry)
    /// When a special file was last changed: by the change of its owner. Whatever changes it later shows in this time.
    case given(inode: UInt64, changed: EntryStatus.Time)
    /// A special file is unchanged since, and gets back what it had.
    case returning(inode: UInt64)
}

extension JournalRecord {
    /// Adds it to bytes: numbers little-endian, the lengths before what is of any length.
    func write(to bytes: inout [UInt8]) {
        switch self {
        case .entry(let entry):
            bytes.append(1)
            bytes.append(number: entry.inode)
            bytes.append((entry.birth == nil ? 0 : 1) | (entry.isFile ? 2 : 0))
            if let birth = entry.birth { bytes.append(birth) }
            for number in [entry.user, entry.group, entry.mode] { bytes.append(number: number) }
            bytes.append(number: entry.size)
            bytes.append(entry.modified)
            for part in [entry.capability, entry.path] {
                bytes.append(number: UInt32(clamping: part.count))
                bytes += part
            }
        case .given(let inode, let changed):
            bytes.append(2)
            bytes.append(number: inode)
            bytes.append(changed)
        case .returning(let inode):
            bytes.append(3)
            bytes.append(number: inode)
        }
    }

    /// Takes one from the beginning of bytes.
    ///
    /// - Returns: nil if they are none.
    init?(consuming bytes: inout ArraySlice<UInt8>) {
        guard let kind = bytes.popFirst(), let inode: UInt64 = bytes.popNumber() else { return nil }
        switch kind {
        case 1:
            guard let entry = JournalEntry(inode: inode, consuming: &bytes) else { return nil }
            self = .entry(entry)
        case 2:
            guard let changed = bytes.popTime() else { return nil }
            self = .given(inode: inode, changed: changed)
        case 3: self = .returning(inode: inode)
        default: return nil
        }
    }
}

extension JournalEntry {
    fileprivate init?(inode: UInt64, consuming bytes: inout ArraySlice<UInt8>) {
        guard let flags = bytes.popFirst() else { return nil }
        var birth: EntryStatus.Time?
        if flags & 1 != 0 {
            birth = bytes.popTime()
            if birth == nil { return nil }
        }
        guard let user: UInt32 = bytes.popNumber(), let group: UInt32 = bytes.popNumber(), let mode: UInt32 = bytes.popNumber(),
            let size: UInt64 = bytes.popNumber(), let modified = bytes.popTime(), let capability = bytes.popPart(),
            let path = bytes.popPart()
        else { return nil }
        self.init(
            path: path, inode: inode, birth: birth, user: user, group: group, isFile: flags & 2 != 0, mode: mode, size: size,
            modified: modified,
            capability: capability)
    }
}

extension [UInt8] {
    mutating func append(number: some FixedWidthInteger) { Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) } }

    fileprivate mutating func append(_ time: EntryStatus.Time) {
        append(number: time.seconds)
        append(number: time.nanoseconds)
    }
}

extension ArraySlice<UInt8> {
    mutating func popNumber<Number: FixedWidthInteger>() -> Number? {
        let size = Number.bitWidth / 8
        guard count >= size else { return nil }
        let number = withUnsafeBytes { $0.loadUnaligned(as: Number.self) }
        removeFirst(size)
        return Number(littleEndian: number)
    }

    fileprivate mutating func popTime() -> EntryStatus.Time? {
        guard let seconds: Int64 = popNumber(), let nanoseconds: UInt32 = popNumber() else { return nil }
        return EntryStatus.Time(seconds: seconds, nanoseconds: nanoseconds)
    }

    fileprivate mutating func popPart() -> [UInt8]? {
        guard let size: UInt32 = popNumber(), count >= Int(size) else { return nil }
        if size == 0 { return [] }
        defer { removeFirst(Int(size)) }
        return Array(prefix(Int(size)))
    }
}
