// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport
import Testing

@testable import ContainerMounts
@testable import OCIRuntime

/// The settings, commands and flags of mountpoint-runc's own are in its reference, its manual and its three completions.
struct RuntimeDocumentTests {
    private static let completions = ["mountpoint-runc.bash", "_mountpoint-runc", "mountpoint-runc.fish"]

    private func completion(_ file: String) throws -> String { try Document("Packaging/completions/\(file)").text }

    private func parse(_ key: String, _ value: String) throws -> RuntimeSettings {
        try RuntimeSettings(parsing: Array("{\"\(key)\": \(value)}".utf8))
    }

    /// The keys that the program knows, as its error for one that it does not know lists them.
    private func keys() throws -> [String] {
        let error = try #require(#expect(throws: RuntimeError.self) { try parse("nonsense", "1") })
        let list = try #require("\(error)".firstMatch(of: /there are (.*)/)?.output.1)
        return list.matches(of: /[a-z-]+/).map { String($0.output) }.filter { $0 != "and" }.sorted()
    }

    /// Holds one description of a setting against what the program does; `30` and `false` are literal defaults, words are not.
    private func check(_ key: String, default value: String, _ description: String) throws {
        if value.wholeMatch(of: /\d+|true|false/) != nil {
            #expect(try parse(key, value) == RuntimeSettings(), "\(key): \(value) is not the default")
        }
        if let range = description.firstMatch(of: /([\d.]+) to (\d+)/) {
            let (low, high) = (String(range.output.1), String(range.output.2))
            #expect(throws: Never.self, "\(key)") { (try parse(key, low), try parse(key, high)) }
            #expect(throws: RuntimeError.self, "\(key) below \(low)") { try parse(key, "\((Double(low) ?? 0) - 0.01)") }
            #expect(throws: RuntimeError.self, "\(key) above \(high)") { try parse(key, "\((Double(high) ?? 0) + 0.01)") }
        }
    }

    @Test func theReferenceHasEachSettingWithItsDefaultAndRange() throws {
        let entries = Entry.all(in: try Document("Docs/mountpoint-runc.md").section("Settings")).filter { $0.cells.count == 2 }
        #expect(entries.flatMap(\.names).sorted() == (try keys()))
        for entry in entries { try check(entry.names.first ?? "", default: entry.cells[0], entry.cells[1]) }
    }

    @Test func theReferenceHasEachCodeOfAFailure() throws {
        let entries = Entry.all(in: try Document("Docs/mountpoint-runc.md").section("Codes"))
        #expect(entries.flatMap(\.names) == RuntimeError.Code.all.map(\.description))
        for code in RuntimeError.Code.all { #expect(RuntimeError.Code(code.description) == code) }
        #expect(RuntimeError.Code("nonsense") == nil)
    }

    @Test func theManualHasEachSettingWithItsDefaultAndRange() throws {
        let terms = try ManualPage("mountpoint-runc.json.5").terms("SETTINGS")
        #expect(terms.map { String($0.prefix { $0 != " " }) }.sorted() == (try keys()))
        for term in terms {
            let value = try #require(term.firstMatch(of: /default:? ([^)]*)/)?.output.1, "no default: \(term)")
            try check(String(term.prefix { $0 != " " }), default: String(value), term)
        }
    }

    @Test func examplesOfTheFileAreAccepted() throws {
        var examples = try Document.paths(ending: ".md").flatMap { try Document($0).code("json") }
        examples += try ManualPage("mountpoint-runc.json.5").document.text.matches(of: /\.nf\n((?s).*?)\n\.fi/).map {
            String($0.output.1)
        }
        let ours = examples.filter { $0.contains("\"mount-point-plugins\"") }
        #expect(ours.count >= 2)
        for example in ours { #expect(throws: Never.self, "\(example)") { try RuntimeSettings(parsing: Array(example.utf8)) } }
    }

    /// Whether a word is a command that only this program has. Without a default, so that a new command has to be put here.
    private func isOwn(_ word: String) throws -> Bool {
        switch try RuntimeCommandLine(parsing: [Array(word.utf8)]).command {
        case .doctor, .status, .ask, .detach, .recover: true
        case .create, .run, .restore, .start, .delete, .kill, .handedOver: false
        }
    }

    @Test func eachCommandOfItsOwnIsDocumentedAndCompleted() throws {
        let own = try CommandParser.names.filter(isOwn)
        #expect(own.count == 5)
        let page = try ManualPage("mountpoint-runc.8")
        let terms = Set(page.terms("COMMANDS").map { String($0.prefix { $0.isLetter }) })
        let reference = try Document("Docs/mountpoint-runc.md").text
        for name in own {
            #expect(terms.contains(name), "mountpoint-runc(8) lacks \(name)")
            #expect(reference.contains("`mountpoint-runc \(name)"), "Docs/mountpoint-runc.md lacks \(name)")
            for file in Self.completions {
                #expect(try completion(file).contains(try Regex("\\b\(name)\\b")), "\(file) lacks \(name)")
            }
        }
    }

    @Test func completionsOfferOnlyCommandsThatThereAre() throws {
        let bash = try #require(try completion("mountpoint-runc.bash").firstMatch(of: /word="(doctor [a-z ]*)"/)?.output.1)
        let fish = try #require(try completion("mountpoint-runc.fish").firstMatch(of: /set -l commands ([a-z ]*)/)?.output.1)
        let zsh = try completion("_mountpoint-runc").matches(of: /\n    '([a-z]+):/).map { String($0.output.1) }
        let known = Set(CommandParser.names)
        for offered in [bash.split(separator: " ").map(String.init), fish.split(separator: " ").map(String.init), zsh] {
            #expect(offered.filter { !known.contains($0) } == [])
            #expect(offered.count > 15)
        }
    }

    @Test func eachFlagOfItsOwnIsDocumentedAndCompleted() throws {
        let flags = RuntimeFlag.global.filter { $0.owner == .ours }.map(\.long)
        #expect(flags.count == 2)
        let page = try ManualPage("mountpoint-runc.8").plainText
        let reference = Entry.all(in: try Document("Docs/mountpoint-runc.md").section("Flags")).flatMap(\.names)
        for flag in flags {
            #expect(page.contains("--\(flag)"), "mountpoint-runc(8) lacks --\(flag)")
            #expect(reference.contains { $0.hasPrefix("--\(flag) ") }, "Docs/mountpoint-runc.md lacks --\(flag)")
            for file in Self.completions { #expect(try completion(file).contains(flag), "\(file) lacks --\(flag)") }
        }
    }

    /// The program's own help of `ask` is where its flags are said once.
    @Test func eachFlagOfAskIsDocumentedAndCompleted() throws {
        let flags = AskedMounts.usage.matches(of: /\n  (?:-v, )?--([a-z-]+)/).map { String($0.output.1) }
        #expect(flags.count == 9)
        let page = try ManualPage("mountpoint-runc.8").section("COMMANDS").joined(separator: "\n")
        let reference = try Document("Docs/mountpoint-runc.md").section("Ask").joined(separator: "\n")
        for flag in flags {
            #expect(page.contains("--\(flag)"), "mountpoint-runc(8) lacks --\(flag) of ask")
            #expect(reference.contains("--\(flag)"), "Docs/mountpoint-runc.md lacks --\(flag) of ask")
            for file in Self.completions { #expect(try completion(file).contains(flag), "\(file) lacks --\(flag) of ask") }
        }
    }
}
