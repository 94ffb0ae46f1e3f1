// SPDX-License-Identifier: AGPL-3.0-or-later

/// A manual page in the macros of man(7), as plain text.
struct ManualPage {
    let document: Document

    init(_ name: String) throws { document = try Document("Packaging/man/\(name)") }

    /// The lines of a section, roff's escapes and font macros taken out.
    func section(_ title: String) -> [String] {
        let start = document.lines.firstIndex(of: ".SH \(title)") ?? document.lines.endIndex
        return document.lines[start...].dropFirst().prefix { !$0.hasPrefix(".SH ") }.map(Self.plain)
    }

    var plainText: String { document.lines.map(Self.plain).joined(separator: "\n") }

    /// What each `.TP` of a section is about: the line behind it.
    func terms(_ title: String) -> [String] {
        let start = document.lines.firstIndex(of: ".SH \(title)") ?? document.lines.endIndex
        let lines = document.lines[start...].dropFirst().prefix { !$0.hasPrefix(".SH ") }
        return zip(lines, lines.dropFirst()).filter { $0.0 == ".TP" }.map { Self.plain($0.1) }
    }

    /// The version of the page, from its `.TH` line, and its day.
    var header: (day: String, version: String)? {
        guard let match = document.text.firstMatch(of: /\n\.TH \S+ \d (\S+) "docker-nfsd ([^"]+)"/) else { return nil }
        return (String(match.output.1), String(match.output.2))
    }

    private static func plain(_ line: String) -> String {
        line.replacing(/^\.(BR|BI|IR|RB|RI|SS|TP|B|I)( |$)/, with: "").replacing(/\\f[A-Z]/, with: "").replacing("\\(dq", with: "'")
            .replacing("\\-", with: "-").replacing("\\&", with: "").replacing("\"", with: "")
    }
}
