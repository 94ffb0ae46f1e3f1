// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON

/// Standard output of the commands that a person reads.
enum TerminalOutput {
    /// Writes all bytes. If the reader has closed its end, the rest is dropped. write(2).
    static func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return
            }
            rest = rest.dropFirst(count)
        }
    }

    static func write(_ text: String) { write(Array(text.utf8)) }

    /// A JSON document as text. Characters that ``printable(_:)`` would replace are escaped, since people look at it on terminals too.
    static func text(of json: JSONValue) -> String {
        var text = ""
        for scalar in String(decoding: json.encoded(.pretty), as: UTF8.self).unicodeScalars {
            // Control characters of ASCII are escaped already, or are the document's own line breaks.
            if scalar.value >= 0x7f && SanitizedText.isControl(scalar) {
                text += "\\u" + String(repeating: "0", count: 4 - String(scalar.value, radix: 16).count) + String(scalar.value, radix: 16)
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text + "\n"
    }

    /// Text for a terminal, without characters that move the cursor, change colours or reverse the writing direction.
    static func printable(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { scalars.append(SanitizedText.isControl(scalar) ? "?" : scalar) }
        return String(scalars)
    }
}
