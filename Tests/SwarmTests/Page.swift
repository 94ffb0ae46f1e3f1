// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport

/// Docs/swarm.md as what an operator does. A comment before a block says where it belongs, one after it what it must print:
///
///     <!-- on: manager -->     run each command there; also worker, nas, or every
///     <!-- until: TEXT -->     run it again and again until it prints this and nothing else
///     <!-- file: NAME -->      write the block to that file on the manager
///     <!-- expect: TEXT -->    what was run last has printed this
///
/// Blocks without such a comment are for reading.
struct Page: Sendable {
    enum Step: Sendable, Equatable {
        case run(on: String, script: String, until: String?)
        case write(file: String, content: String)
        case expect(String)
    }

    /// Steps by the heading that they stand under, in the page's order.
    let sections: [(heading: String, steps: [Step])]

    init(_ text: String) throws {
        var sections: [(heading: String, steps: [Step])] = [("", [])]
        var (host, until, file): (String?, String?, String?)
        var block: [String]?
        func add(_ step: Step) { sections[sections.count - 1].steps.append(step) }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if let lines = block {
                guard line == "```" else {
                    block = lines + [line]
                    continue
                }
                let content = lines.joined(separator: "\n")
                if let file { add(.write(file: file, content: content + "\n")) }
                if let host { add(.run(on: host, script: content, until: until)) }
                (block, host, until, file) = (nil, nil, nil, nil)
            } else if line.hasPrefix("```") {
                block = []
            } else if line.hasPrefix("## ") {
                sections.append((String(line.dropFirst(3)), []))
            } else if let (key, value) = Self.comment(line) {
                switch key {
                case "on": host = value
                case "until": until = value
                case "file": file = value
                case "expect": add(.expect(value))
                default: throw Trouble("Docs/swarm.md: unknown comment \(line)")
                }
            }
        }
        if block != nil || host != nil || file != nil { throw Trouble("Docs/swarm.md: a block does not end, or a comment has none") }
        self.sections = sections
    }

    /// `<!-- key: value -->`
    private static func comment(_ line: String) -> (key: String, value: String)? {
        guard line.hasPrefix("<!-- "), line.hasSuffix(" -->"), let colon = line.firstIndex(of: ":") else { return nil }
        let key = String(line[..<colon].dropFirst(5))
        if key == "SPDX-License-Identifier" { return nil }
        return (key, line[line.index(after: colon)...].dropLast(4).trimmingCharacters(in: .whitespaces))
    }

    static func read() throws -> Page {
        try Page(try String(contentsOfFile: Repository.root + "/Docs/swarm.md", encoding: .utf8))
    }

    /// Does what the sections say.
    func follow(_ isWanted: (String) -> Bool, in swarm: Swarm) async throws {
        var printed = ""
        for section in sections where isWanted(section.heading) {
            for step in section.steps {
                switch step {
                case .write(let file, let content):
                    try await swarm.expect(on: .manager, "cat > \(file) <<'END OF FILE'\n\(content)END OF FILE")
                case .expect(let text):
                    if !printed.contains(text) { throw Trouble("Docs/swarm.md, \(section.heading): \(text) is not in: \(printed)") }
                case .run(let host, let script, let until):
                    printed = ""
                    for node in try Swarm.nodes(called: host) {
                        printed += try await run(script, until: until, on: node, in: swarm, section.heading)
                    }
                }
            }
        }
    }

    private func run(_ script: String, until: String?, on node: Swarm.Node, in swarm: Swarm, _ heading: String) async throws -> String {
        guard let until else {
            let output = try await swarm.expect(on: node, script, limit: 180)
            // The one thing that goes from one machine to the other by hand.
            if let token = output.split(separator: "\n").first(where: { $0.hasPrefix("SWMTKN-") }) { swarm.keep(token: String(token)) }
            return output
        }
        var last = ""
        do {
            try await eventually("\(until) from \(script)", within: .seconds(180)) {
                last = try await swarm.run(on: node, script, limit: 120).output.trimmingCharacters(in: .whitespacesAndNewlines)
                if last == until { return true }
                try await Task.sleep(for: .seconds(1))
                return false
            }
        } catch {
            throw Trouble("Docs/swarm.md, \(heading): \(error); the last time it printed: \(last)")
        }
        return last
    }
}
