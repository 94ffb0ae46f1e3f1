// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation

/// The tests of this repository, and how documents name them: `Suite/test`.
enum TestNames {
    /// Every test that there is.
    static func all() throws -> Set<String> {
        try Set(Document.paths(ending: ".swift").filter { $0.hasPrefix("Tests/") }.flatMap { tests(in: try Document($0)) })
    }

    /// Every `Suite/test` in code style: both begin as Swift's types and functions do.
    static func named(in text: String) -> [String] {
        text.matches(of: /`([A-Z][A-Za-z0-9]*\/[a-z][A-Za-z0-9]*)`/).map { String($0.output.1) }
    }

    /// The tests of a source file as `Suite/test`. The layout that `swift format` gives says which type a function is in.
    static func tests(in document: Document) -> [String] {
        var types: [(indentation: Int, name: String)] = []
        var isMarked = false
        return document.lines.compactMap { line in
            let indentation = line.utf8.prefix { $0 == UInt8(ascii: " ") }.count
            // Most lines are ruled out by their last byte: a regular expression for each would take a quarter of a minute.
            if line.utf8.last == UInt8(ascii: "{"),
                let match = line.prefixMatch(
                    of: /[ ]*(?:@Suite.*\) |@Suite |private |final )*(?:struct|enum|class|extension) ([A-Za-z0-9.]+)/)
            {
                types = types.filter { $0.indentation < indentation }
                types.append((indentation, match.output.1.split(separator: ".").last.map(String.init) ?? ""))
            }
            if line.utf8.dropFirst(indentation).starts(with: "@Test".utf8) { isMarked = true }
            guard isMarked, let match = line.firstMatch(of: /\bfunc ([a-z][A-Za-z0-9]*)\(/) else { return nil }
            isMarked = false
            return types.last { $0.indentation < indentation }.map { "\($0.name)/\(match.output.1)" }
        }
    }
}
