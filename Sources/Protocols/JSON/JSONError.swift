// SPDX-License-Identifier: AGPL-3.0-or-later

/// Why some bytes are not a JSON document, and where.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One line without the place, such as `a comma or } must follow`.
    public let reason: String
    /// Bytes from the start of the document to where it goes wrong; its length if it ends too early.
    public let offset: Int
    /// Counted from 1; a line ends with a line feed.
    public let line: Int
    /// Counted from 1, in bytes.
    public let column: Int

    init(_ reason: String, at offset: Int, in bytes: Span<UInt8>) {
        self.reason = reason
        self.offset = offset
        var line = 1
        var lineStart = 0
        for index in 0..<min(offset, bytes.count) where bytes[index] == UInt8(ascii: "\n") {
            line += 1
            lineStart = index + 1
        }
        self.line = line
        self.column = offset - lineStart + 1
    }

    public var description: String { "line \(line), column \(column): \(reason)" }
}
