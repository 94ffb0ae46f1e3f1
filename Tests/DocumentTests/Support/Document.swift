// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport

/// A text file of this repository, read as documents are: by headings, entries, links and code blocks.
struct Document {
    /// From the repository's root.
    let path: String
    let lines: [String]

    /// - Throws: what Foundation says of a file that cannot be read.
    init(_ path: String) throws {
        self.path = path
        lines = try String(contentsOfFile: Repository.root + "/" + path, encoding: .utf8).components(separatedBy: "\n")
    }

    var text: String { lines.joined(separator: "\n") }

    /// Every file of this repository with that ending, outside of build products.
    static func paths(ending suffix: String) throws -> [String] {
        let root = URL(fileURLWithPath: Repository.root)
        guard let all = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil, options: .skipsHiddenFiles) else {
            throw Trouble("cannot list \(root.path)")
        }
        return all.compactMap { ($0 as? URL)?.path }.filter { $0.hasSuffix(suffix) && !$0.contains("/.build/") }
            .map { String($0.dropFirst(root.path.count + 1)) }.sorted()
    }

    /// The lines below a heading of any level, down to the next one of its level or above. Empty if there is no such heading.
    func section(_ title: String) -> [String] {
        guard let start = lines.firstIndex(where: { $0.wholeMatch(of: /#+ .*/) != nil && $0.drop { $0 == "#" }.dropFirst() == title })
        else { return [] }
        let level = lines[start].prefix { $0 == "#" }.count
        var isCode = false
        return Array(
            lines[(start + 1)...].prefix { line in
                if line.hasPrefix("```") { isCode.toggle() }
                let depth = line.prefix { $0 == "#" }.count
                return isCode || depth == 0 || depth > level
            })
    }

    /// The lines outside of code blocks, with their numbers from 1.
    var prose: [(number: Int, line: String)] {
        var isCode = false
        return lines.enumerated().compactMap { index, line in
            if line.trimmingCharacters(in: .whitespaces).hasPrefix("```") {
                isCode.toggle()
                return nil
            }
            return isCode ? nil : (index + 1, line)
        }
    }

    /// The code blocks of one language.
    func code(_ language: String) -> [String] {
        text.matches(of: /\n```([a-z]*)\n((?s).*?)\n```/).filter { $0.output.1 == language }.map { String($0.output.2) }
    }

    /// What a link to a heading of this document is called, as GitHub makes it: lower case, without punctuation, blanks as hyphens.
    var anchors: [String] {
        prose.compactMap { _, line in
            guard let title = line.wholeMatch(of: /#+ (.*)/)?.output.1 else { return nil }
            return title.lowercased().filter { $0.isLetter || $0.isNumber || "-_ ".contains($0) }.replacing(" ", with: "-")
        }
    }
}

/// What a table's row or a list's item is about, and what it says.
struct Entry {
    /// The words in code style at its beginning.
    let names: [String]
    /// The rest: cells of a row, or the text behind the colon with its further lines.
    let cells: [String]

    /// The entries of these lines; rows and items that begin with no word in code style are left out.
    static func all(in lines: [String]) -> [Entry] {
        var entries: [Entry] = []
        var item: String?
        func close() {
            if let item, let colon = item.firstRange(of: "`: ") {
                entries.append(Entry(names: words(item[..<colon.upperBound]), cells: [String(item[colon.upperBound...])]))
            }
        }
        for line in lines + [""] {
            if line.hasPrefix("  "), item != nil {
                item? += " " + line.trimmingCharacters(in: .whitespaces)
                continue
            }
            close()
            item = nil
            if line.hasPrefix("- `") { item = String(line.dropFirst(2)) }
            if line.hasPrefix("| `") {
                let cells = line.components(separatedBy: "|").dropFirst().dropLast().map { $0.trimmingCharacters(in: .whitespaces) }
                entries.append(Entry(names: words(Substring(cells.first ?? "")), cells: Array(cells.dropFirst())))
            }
        }
        return entries
    }

    private static func words(_ text: Substring) -> [String] { text.matches(of: /`([^`]+)`/).map { String($0.output.1) } }
}
