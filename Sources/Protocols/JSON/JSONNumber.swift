// SPDX-License-Identifier: AGPL-3.0-or-later

/// A JSON number, kept as it was spelled.
///
/// A reader that turned it into a double would write `1e3` as `1000.0` and lose digits of large whole numbers.
public struct JSONNumber: Sendable, Hashable {
    /// The number as RFC 8259 section 6 spells it, ASCII.
    public let text: String

    public init(_ value: some BinaryInteger) { text = String(value) }

    /// - Returns: nil for infinities and NaN, which JSON cannot spell.
    public init?(_ value: Double) {
        guard value.isFinite else { return nil }
        text = value.description
    }

    /// For the parser, which has checked the text.
    init(validated text: String) { self.text = text }

    /// The value, if it is spelled as a whole number (`1.0` and `1e3` are not) and fits.
    public var intValue: Int? { Int(text) }

    /// The nearest double; one too large for a double becomes an infinity.
    public var doubleValue: Double { Double(text) ?? .nan }
}

extension JSONNumber: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: Int) { self.init(value) }
}
