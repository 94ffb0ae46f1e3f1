// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport
import Testing

/// What documents point to is there: files, headings, tests, targets of make.
struct LinkTests {
    private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: Repository.root + "/" + path) }

    private static func documents() throws -> [Document] { try Document.paths(ending: ".md").map(Document.init) }

    @Test func linksLeadToFilesAndHeadings() throws {
        let documents = try Self.documents()
        let anchors = Dictionary(uniqueKeysWithValues: documents.map { ($0.path, $0.anchors) })
        var count = 0
        for document in documents {
            let folder = URL(fileURLWithPath: "/" + document.path).deletingLastPathComponent()
            let text = document.prose.map(\.line).joined(separator: "\n")
            for match in text.matches(of: /\]\(([^)\s]+)\)/) where !match.output.1.contains("://") {
                count += 1
                let parts = match.output.1.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                let target =
                    parts[0].isEmpty
                    ? document.path : String(URL(fileURLWithPath: parts[0], relativeTo: folder).standardizedFileURL.path.dropFirst())
                #expect(Self.exists(target), "\(document.path): no file \(match.output.1)")
                if parts.count == 2 {
                    #expect(anchors[target]?.contains(parts[1]) == true, "\(document.path): no heading \(match.output.1)")
                }
            }
        }
        #expect(count > 50)
    }

    @Test func pathsOfTheRepositoryAreThere() throws {
        let pattern = /`((?:Docs|Scripts|Packaging|Examples|Tests|Sources|Benchmarks)\/[A-Za-z0-9_.\/-]*)/
        for document in try Self.documents() {
            for match in document.text.matches(of: pattern) {
                let path = String(match.output.1)
                // Benchmarks is a package of its own, and its page means its own folders.
                let beside = URL(fileURLWithPath: document.path).deletingLastPathComponent().relativePath + "/" + path
                #expect(Self.exists(path) || Self.exists(beside), "\(document.path): there is no \(path)")
            }
        }
    }

    /// A document may name a target of tests, a suite, or `SUITE/test` for what it promises.
    @Test func testsThatAreNamedAreThere() throws {
        let sources = try Document.paths(ending: ".swift").filter { $0.hasPrefix("Tests/") }
        let code = try sources.map { try Document($0).text }.joined(separator: "\n")
        for document in try Self.documents() {
            for match in document.text.matches(of: /\b([A-Z][A-Za-z]*Tests)(?:\/([a-z][A-Za-z0-9]+))?/) {
                let suite = String(match.output.1)
                #expect(
                    Self.exists("Tests/\(suite)") || code.contains("struct \(suite)") || code.contains("enum \(suite)")
                        || code.contains("extension \(suite)") || sources.contains { $0.hasSuffix("/\(suite).swift") },
                    "\(document.path): there are no tests \(suite)")
                if let test = match.output.2 {
                    #expect(code.contains("func \(test)("), "\(document.path): \(suite) has no test \(test)")
                }
            }
        }
    }

    @Test func targetsOfMakeAreThere() throws {
        let targets = Set(try Document("Makefile").text.matches(of: /\n([a-z-]+):/).map { String($0.output.1) })
        for document in try Self.documents() where document.path != "Benchmarks/README.md" {
            for match in document.text.matches(of: /(?:`|\n|sudo )make ([a-z][a-z-]*)/) {
                #expect(targets.contains(String(match.output.1)), "\(document.path): make has no target \(match.output.1)")
            }
        }
    }

    @Test func theContributorsPageHasEachTargetOfMake() throws {
        let build = try Document("CONTRIBUTING.md").text
        let targets = try Document("Makefile").text.matches(of: #/\n([a-z-]+):[^\n]* ## /#).map { String($0.output.1) }
        #expect(targets.filter { $0 != "build" && !build.contains("make \($0)`") && !build.contains("make \($0) ") } == [])
    }
}
