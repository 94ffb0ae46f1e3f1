// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON

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

    /// A document for programs, which a person may look at, too: what ``printable(_:)`` would replace is escaped.
    static func text(of json: JSONValue) -> String {
        var text = ""
        for scalar in String(decoding: json.encoded(.pretty), as: UTF8.self).unicodeScalars {
            // Those of ASCII are escaped already, or break the document's own lines.
            if scalar.value >= 0x7f && SanitizedText.isControl(scalar) {
                text += "\\u" + String(repeating: "0", count: 4 - String(scalar.value, radix: 16).count) + String(scalar.value, radix: 16)
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text + "\n"
    }

    /// Foreign text for a terminal: without what would move its cursor, change its colours or turn the text around.
    static func printable(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { scalars.append(SanitizedText.isControl(scalar) ? "?" : scalar) }
        return String(scalars)
    }
}
