// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// Standard output of the commands that a person reads.
enum TerminalOutput {
    /// Writes it all; what cannot be written is lost, as with any program whose reader has gone. write(2).
    static func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return
            }
            rest = rest.dropFirst(count)
        }
    }

    static func write(_ text: String) { write(Array(text.utf8)) }

    /// Foreign text for a terminal: without what would move its cursor, change its colours or turn the text around.
    static func printable(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069: scalars.append("?")
            default: scalars.append(scalar)
            }
        }
        return String(scalars)
    }
}
