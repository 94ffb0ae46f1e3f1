// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// Why a database cannot be read; one line, without its path.
enum BoltError: Error, Equatable, CustomStringConvertible {
    case failedCall(SystemError)
    case damaged(String)
    case busy

    var description: String {
        switch self {
        case .failedCall(let error): error.description
        case .damaged(let reason): "it is not a bbolt database, or a damaged one: \(reason)"
        case .busy: "it changes faster than it can be read; try again"
        }
    }
}

/// One of the two pages that say where everything else is; written in turns, so that one is whole whenever a writer is stopped.
///
/// bbolt writes numbers as they lie in memory, and so they are read: a database is readable on machines of its writer's byte order.
struct BoltMeta: Equatable {
    static let length = 16 + 64
    private static let magic: UInt32 = 0xED0C_DAED
    private static let version: UInt32 = 2
    private static let flag: UInt16 = 0x04

    let pageSize: Int
    /// The page of the root bucket.
    let root: UInt64
    /// One more than the last page.
    let end: UInt64
    let transaction: UInt64

    /// - Returns: nil if this is not such a page, or is being written.
    init?(_ page: [UInt8]) {
        guard page.count >= Self.length, page.number(at: 8, as: UInt16.self) & Self.flag != 0,
            page.number(at: 16, as: UInt32.self) == Self.magic, page.number(at: 20, as: UInt32.self) == Self.version,
            page.number(at: 72, as: UInt64.self) == Self.checksum(page[16..<72])
        else { return nil }
        let size = page.number(at: 24, as: UInt32.self)
        guard (512...65536).contains(size), size & (size - 1) == 0 else { return nil }
        pageSize = Int(size)
        root = page.number(at: 32, as: UInt64.self)
        end = page.number(at: 56, as: UInt64.self)
        transaction = page.number(at: 64, as: UInt64.self)
    }

    /// FNV-1a, 64 bits.
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}

/// A page of a tree: names and values, or names and the pages where they go on.
struct BoltPage {
    private static let header = 16
    private static let elementLength = 16
    private static let branchFlag: UInt16 = 0x01
    private static let leafFlag: UInt16 = 0x02
    /// Of an element: its value is a bucket.
    private static let bucketFlag: UInt32 = 0x01

    let isLeaf: Bool
    let count: Int
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) throws(BoltError) {
        guard bytes.count >= Self.header else { throw BoltError.damaged("a page is cut off") }
        let flags = bytes.number(at: 8, as: UInt16.self)
        guard flags == Self.branchFlag || flags == Self.leafFlag else { throw BoltError.damaged("a page of a tree has the flags \(flags)") }
        isLeaf = flags == Self.leafFlag
        count = Int(bytes.number(at: 10, as: UInt16.self))
        guard Self.header + count * Self.elementLength <= bytes.count else { throw BoltError.damaged("a page has more elements than room") }
        self.bytes = bytes
    }

    /// Of a page of leaves.
    func leaf(_ index: Int) throws(BoltError) -> (isBucket: Bool, key: ArraySlice<UInt8>, value: ArraySlice<UInt8>) {
        let start = Self.header + index * Self.elementLength
        let keyStart = start + Int(bytes.number(at: start + 4, as: UInt32.self))
        let keyLength = Int(bytes.number(at: start + 8, as: UInt32.self))
        let valueLength = Int(bytes.number(at: start + 12, as: UInt32.self))
        guard keyStart + keyLength + valueLength <= bytes.count else { throw BoltError.damaged("an element reaches over its page's end") }
        let valueStart = keyStart + keyLength
        return (
            bytes.number(at: start, as: UInt32.self) & Self.bucketFlag != 0, bytes[keyStart..<valueStart],
            bytes[valueStart..<valueStart + valueLength]
        )
    }

    /// Of a page of branches: the first name that is to be found in the other page.
    func branch(_ index: Int) throws(BoltError) -> (key: ArraySlice<UInt8>, page: UInt64) {
        let start = Self.header + index * Self.elementLength
        let keyStart = start + Int(bytes.number(at: start, as: UInt32.self))
        let keyLength = Int(bytes.number(at: start + 4, as: UInt32.self))
        guard keyStart + keyLength <= bytes.count else { throw BoltError.damaged("an element reaches over its page's end") }
        return (bytes[keyStart..<keyStart + keyLength], bytes.number(at: start + 8, as: UInt64.self))
    }
}

extension [UInt8] {
    /// A number in this machine's byte order. The caller has checked that it is inside the page.
    func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number {
        withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }
}
