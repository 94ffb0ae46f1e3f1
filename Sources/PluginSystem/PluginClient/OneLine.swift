// SPDX-License-Identifier: AGPL-3.0-or-later

/// Foreign text made fit for a message: one line, no control characters, not endless.
struct OneLine {
    let text: String

    /// - Parameter limit: bytes of UTF-8; what is cut off is shown by `…`.
    init(_ foreign: String, limit: Int) {
        var scalars = String.UnicodeScalarView()
        var count = 0
        var isCut = false
        var gap = false
        for scalar in foreign.unicodeScalars {
            if scalar == " " || Self.isBreak(scalar) {
                gap = !scalars.isEmpty
                continue
            }
            let width = UTF8.width(scalar) + (gap ? 1 : 0)
            if count + width > limit {
                isCut = true
                break
            }
            if gap { scalars.append(" ") }
            gap = false
            scalars.append(Self.isControl(scalar) ? "?" : scalar)
            count += width
        }
        text = String(scalars) + (isCut ? "…" : "")
    }

    /// For bytes that need not be UTF-8.
    init(_ foreign: some Sequence<UInt8>, limit: Int) {
        // Twice the limit, for white space that will go.
        self.init(String(decoding: Array(foreign.prefix(limit * 2)), as: UTF8.self), limit: limit)
    }

    static func hasControl(_ text: String) -> Bool { text.unicodeScalars.contains { isControl($0) } }

    private static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
        (0x09...0x0d).contains(scalar.value) || (0x2028...0x2029).contains(scalar.value)
    }

    /// C0, C1, line separators, and what changes the direction of the text behind it.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
