// SPDX-License-Identifier: AGPL-3.0-or-later

/// Foreign text made fit for a terminal, a log and an error message: one line, no control characters, not endless.
///
/// Line breaks become `; `, tabs and other control characters cannot do anything any more. Spaces at both ends and around line breaks go.
public struct SanitizedText: Sendable, CustomStringConvertible {
    public let text: String

    /// Bytes of a plugin's own words.
    public static let wordsLimit = 4 << 10

    /// - Parameter limit: bytes of UTF-8; what is cut off is shown by `…`.
    public init(_ foreign: String, limit: Int = wordsLimit) {
        if Self.isPlain(foreign, limit) {
            text = foreign
            return
        }
        var scalars = String.UnicodeScalarView()
        var count = 0
        var isCut = false
        var spaces = 0
        var hasBreak = false
        for scalar in foreign.unicodeScalars {
            if Self.isBreak(scalar) {
                hasBreak = true
                continue
            }
            if scalar == " " || scalar == "\t" {
                spaces += 1
                continue
            }
            let isFirst = scalars.isEmpty
            let gap = isFirst ? "" : hasBreak ? (scalars.last == ";" ? " " : "; ") : String(repeating: " ", count: min(spaces, limit))
            spaces = 0
            hasBreak = false
            let width = UTF8.width(scalar) + gap.utf8.count
            if count + width > limit {
                isCut = true
                break
            }
            scalars.append(contentsOf: gap.unicodeScalars)
            scalars.append(Self.isControl(scalar) ? "?" : scalar)
            count += width
        }
        text = String(scalars) + (isCut ? "…" : "")
    }

    /// For bytes that need not be UTF-8.
    public init(_ foreign: some Sequence<UInt8>, limit: Int = wordsLimit) {
        // Twice the limit, for white space that will go.
        self.init(String(decoding: Array(foreign.prefix(limit * 2)), as: UTF8.self), limit: limit)
    }

    public var description: String { text }

    /// The same text with `?` in the place of each control character, and nothing else changed.
    public static func withoutControls(_ text: String) -> String {
        hasControl(text) ? String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "?" : $0 })) : text
    }

    public static func hasControl(_ text: String) -> Bool {
        // Nearly all texts are plain, and this is asked for each answer.
        if text.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return false }
        return text.unicodeScalars.contains { isControl($0) }
    }

    /// Whether there is nothing to do, as for nearly all texts.
    private static func isPlain(_ text: String, _ limit: Int) -> Bool {
        let bytes = text.utf8
        return bytes.count <= limit && bytes.first != 0x20 && bytes.last != 0x20 && bytes.allSatisfy { (0x20..<0x7f).contains($0) }
    }

    private static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0a...0x0d, 0x85, 0x2028...0x2029: true
        default: false
        }
    }

    /// C0, C1, line separators, and what changes the direction of the text behind it.
    public static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
