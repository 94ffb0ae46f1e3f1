// SPDX-License-Identifier: AGPL-3.0-or-later

/// Comparing by bytes, as the kernel and servers do. Two Swift strings are equal if they look the same, such as `é` in one code point and
/// in two, and `hasPrefix` and `split` go by what looks like one character: a slash with an accent behind it is none to them.
extension StringProtocol {
    /// Whether both have the same bytes.
    public func hasSameBytes(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Whether it begins with these bytes.
    public func hasBytePrefix(_ prefix: some StringProtocol) -> Bool { utf8.starts(with: prefix.utf8) }

    /// Whether it ends with these bytes.
    public func hasByteSuffix(_ suffix: some StringProtocol) -> Bool {
        utf8.count >= suffix.utf8.count && utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }

    /// Its parts between bytes of this value. It must be ASCII, so that no part ends within a character.
    ///
    /// - Parameter omittingEmpty: leaves out parts without bytes.
    public func split(atByte separator: Unicode.Scalar, maxSplits: Int = .max, omittingEmpty: Bool = true) -> [String] {
        utf8.split(separator: UInt8(ascii: separator), maxSplits: maxSplits, omittingEmptySubsequences: omittingEmpty)
            .map { String(decoding: $0, as: UTF8.self) }
    }
}

extension Sequence where Element: StringProtocol {
    /// Whether both have the same texts in the same order, each by its bytes.
    public func hasSameBytes<Other: Sequence>(as other: Other) -> Bool where Other.Element: StringProtocol {
        elementsEqual(other) { $0.hasSameBytes(as: $1) }
    }

    /// Whether it begins with these texts, each by its bytes.
    public func hasBytePrefix<Other: Sequence>(_ prefix: Other) -> Bool where Other.Element: StringProtocol {
        starts(with: prefix) { $0.hasSameBytes(as: $1) }
    }
}
