// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// Why a command line cannot be followed; one line, without the program's name.
public struct CommandLineError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// For messages: in quotes, with control characters escaped, and not longer than a line.
func quoted(_ text: String) -> String {
    let limit = 200
    let shown = text.utf8.count <= limit ? text : String(decoding: text.utf8.prefix(limit), as: UTF8.self) + "…"
    return JSONValue.string(shown).description
}

/// The same for a word of a command line.
func quoted(_ word: [UInt8]) -> String { quoted(String(decoding: word, as: UTF8.self)) }
