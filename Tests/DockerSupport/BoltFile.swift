// SPDX-License-Identifier: AGPL-3.0-or-later

@testable import DockerFiles

/// Builds bbolt databases byte by byte, whole and broken ones. Numbers in this machine's byte order, as bbolt writes them.
public struct BoltFile {
    public enum Element {
        case value(String, [UInt8])
        case bucket(String, root: UInt64, inline: [UInt8] = [])
    }

    public var pageSize = 4096
    public var bytes: [UInt8]

    public init(pageSize: Int = 4096) {
        self.pageSize = pageSize
        bytes = [UInt8](repeating: 0, count: pageSize * 2)
    }

    public mutating func put(_ content: [UInt8], at offset: Int) {
        if bytes.count < offset + content.count {
            bytes += [UInt8](repeating: 0, count: offset + content.count - bytes.count)
        }
        bytes.replaceSubrange(offset..<offset + content.count, with: content)
    }

    /// A page, filled up to whole pages of the file.
    public mutating func put(page id: Int, _ content: [UInt8]) {
        let count = (content.count + pageSize - 1) / pageSize
        var content = content
        Self.set(UInt64(id), at: 0, in: &content)
        Self.set(UInt32(count - 1), at: 12, in: &content)
        put(content + [UInt8](repeating: 0, count: count * pageSize - content.count), at: id * pageSize)
    }

    public mutating func put(meta id: Int, root: UInt64, end: UInt64, transaction: UInt64) {
        put(Self.meta(id, root: root, end: end, transaction: transaction, pageSize: pageSize), at: id * pageSize)
    }

    public static func meta(_ id: Int, root: UInt64, end: UInt64, transaction: UInt64, pageSize: Int) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: 80)
        set(UInt64(id), at: 0, in: &page)
        set(UInt16(4), at: 8, in: &page)
        set(UInt32(0xED0C_DAED), at: 16, in: &page)
        set(UInt32(2), at: 20, in: &page)
        set(UInt32(pageSize), at: 24, in: &page)
        set(root, at: 32, in: &page)
        set(UInt64(5), at: 48, in: &page)
        set(end, at: 56, in: &page)
        set(transaction, at: 64, in: &page)
        set(BoltMeta.checksum(page[16..<72]), at: 72, in: &page)
        return page
    }

    /// Names in their order, as bbolt keeps them.
    public static func leaf(_ elements: [Element]) -> [UInt8] {
        var page = header(flags: 2, count: elements.count)
        var data: [UInt8] = []
        for (index, element) in elements.enumerated() {
            let (flags, key, value): (UInt32, [UInt8], [UInt8]) =
                switch element {
                case .value(let key, let value): (0, Array(key.utf8), value)
                case .bucket(let key, let root, let inline): (1, Array(key.utf8), raw(root) + raw(UInt64(0)) + inline)
                }
            page += raw(flags) + raw(UInt32((elements.count - index) * 16 + data.count))
            page += raw(UInt32(key.count)) + raw(UInt32(value.count))
            data += key + value
        }
        return page + data
    }

    public static func branch(_ children: [(first: String, page: UInt64)]) -> [UInt8] {
        var page = header(flags: 1, count: children.count)
        var data: [UInt8] = []
        for (index, child) in children.enumerated() {
            page += raw(UInt32((children.count - index) * 16 + data.count)) + raw(UInt32(child.first.utf8.count)) + raw(child.page)
            data += Array(child.first.utf8)
        }
        return page + data
    }

    private static func header(flags: UInt16, count: Int) -> [UInt8] {
        raw(UInt64(0)) + raw(flags) + raw(UInt16(count)) + raw(UInt32(0))
    }

    public static func raw(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number) { Array($0) } }

    public static func set(_ number: some FixedWidthInteger, at offset: Int, in bytes: inout [UInt8]) {
        let raw = raw(number)
        bytes.replaceSubrange(offset..<offset + raw.count, with: raw)
    }
}
