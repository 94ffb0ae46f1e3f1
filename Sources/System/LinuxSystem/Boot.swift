// SPDX-License-Identifier: AGPL-3.0-or-later

import SystemPackage

/// Tells one boot of this host from another.
public struct Boot: Sendable, Equatable {
    /// As the kernel writes it, such as `0f3bd9b1-5bd4-4b5d-8f0b-3a1c9d1f2e4a`.
    public let text: String

    public init(_ text: String) { self.text = text }

    private static let path = FilePath("/proc/sys/kernel/random/boot_id")
    /// Bytes; it has 37.
    private static let limit = 128

    /// The boot that this host is in. random(4).
    ///
    /// - Throws: `SystemError` of open(2) or read(2). What an unknown boot has left must not be taken for another boot's.
    public static func current() throws(SystemError) -> Boot {
        let bytes = try readWholeFile(path, limit: limit)
        return Boot(String(decoding: bytes.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self))
    }
}
