// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux

/// How full a file system is. statfs(2)
public struct FileSystemSpace: Sendable, Equatable {
    /// Bytes.
    public var size: UInt64
    public var used: UInt64
    /// Bytes that users other than root can have.
    public var free: UInt64
    /// Files that it has room for; zero where it does not say.
    public var inodes: UInt64
    public var freeInodes: UInt64

    public init(size: UInt64, used: UInt64, free: UInt64, inodes: UInt64, freeInodes: UInt64) {
        (self.size, self.used, self.free, self.inodes, self.freeInodes) = (size, used, free, inodes, freeInodes)
    }

    /// Of 100; nil for a file system that says that it has no size.
    public var usedPercent: Int? {
        let whole = Double(used) + Double(free)
        return whole <= 0 ? nil : Int(min(100, (Double(used) / whole * 100).rounded(.up)))
    }
}

extension SystemCall {
    /// statfs(2) of a path, for ``FileSystemSpace/init(parsing:)``. Waits for the server of a network file system.
    public static func space(of path: String, into buffer: SystemCallSequence.Buffer) -> SystemCall {
        SystemCall("statfs", Int(__NR_statfs), on: path, [.string(path), .buffer(buffer)])
    }
}

extension FileSystemSpace {
    /// Bytes of struct statfs on 64-bit systems, in asm-generic/statfs.h: words, of which those from the second on are f_bsize, f_blocks,
    /// f_bfree, f_bavail, f_files and f_ffree.
    public static let statusSize = 120

    /// What statfs(2) has written. Numbers that make no sense stay at their limits.
    ///
    /// - Returns: nil for fewer than ``statusSize`` bytes.
    public init?(parsing status: [UInt8]) {
        guard status.count >= Self.statusSize else { return nil }
        let words = status.withUnsafeBytes { raw in (0..<8).map { raw.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) } }
        let (block, blocks, free) = (words[1], words[2], words[3])
        func size(of blocks: UInt64) -> UInt64 {
            let (product, overflow) = blocks.multipliedReportingOverflow(by: block)
            return overflow ? .max : product
        }
        self.init(
            size: size(of: blocks), used: size(of: blocks > free ? blocks - free : 0), free: size(of: words[4]), inodes: words[5],
            freeInodes: words[6])
    }
}
