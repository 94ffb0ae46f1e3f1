// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import KernelMount
import DockerVolumes
import SystemPackage
import TestSupport
import Testing

/// The settings of docker-nfsd are in `DaemonSettings.all`, in its flags, in two documents and in three completions. These tests hold
/// them together.
struct DaemonSettingsDocumentTests {
    private static let keys = DaemonSettings.all.map(\.key).sorted()

    private func settings(flags: [String: String] = [:], file: String = "/nonexistent") throws -> DaemonSettings {
        try DaemonSettings(file: FilePath(file), environment: [:], flags: flags)
    }

    /// Whether a text is accepted for a setting.
    private func accepts(_ key: String, _ text: String) -> Bool { (try? settings(flags: [key: text])) != nil }

    /// Holds one description of a setting against what the program does.
    ///
    /// - Parameters:
    ///   - value: the default as documented; nil or `none` for a setting that has none.
    ///   - description: text that may say `1 to 60`.
    private func check(_ key: String, default value: String?, _ description: String) throws {
        if let value, value != "none" {
            let (given, builtIn) = (try settings(flags: [key: value]), try settings())
            #expect(String(reflecting: given) == String(reflecting: builtIn), "\(key): \(value) is not the default")
        }
        if let range = description.firstMatch(of: /(\d+) to (\d+)/) {
            let (low, high) = (Int(range.output.1) ?? 0, Int(range.output.2) ?? 0)
            #expect(accepts(key, "\(low)") && accepts(key, "\(high)"), "\(key) from \(low) to \(high)")
            #expect(!accepts(key, "\(low - 1)") && !accepts(key, "\(high + 1)"), "\(key) from \(low) to \(high) only")
        }
    }

    @Test func theReferenceHasEachSettingWithItsDefaultAndRange() throws {
        let entries = Entry.all(in: try Document("Docs/docker-nfsd.md").section("Settings")).filter { $0.cells.count == 2 }
        #expect(entries.flatMap(\.names).sorted() == Self.keys)
        for entry in entries {
            try check(entry.names.first ?? "", default: entry.cells[0].trimmingCharacters(in: ["`"]), entry.cells[1])
        }
    }

    @Test func theManualHasEachSettingWithItsDefaultAndRange() throws {
        let terms = try ManualPage("docker-nfsd.json.5").terms("SETTINGS")
        #expect(terms.map { String($0.prefix { $0 != " " }) }.sorted() == Self.keys)
        for term in terms {
            let value = try #require(term.firstMatch(of: /default +'?([^')]*[^') ])/)?.output.1, "no default: \(term)")
            try check(String(term.prefix { $0 != " " }), default: String(value), term)
        }
    }

    @Test func theReferenceHasEachCodeOfAFailure() throws {
        let words = try Document("Docs/docker-nfsd.md").section("Status").joined(separator: "\n")
        #expect(StorageError.Code.all.filter { !words.contains("`\($0)`") } == [])
        for code in StorageError.Code.all { #expect(StorageError.Code(code.description) == code) }
    }

    @Test func theSocketUnitHasTheSocketsOfTheSettings() throws {
        let unit = try Document("Packaging/systemd/docker-nfsd.socket")
        let sockets = unit.lines.compactMap { $0.wholeMatch(of: /ListenStream=(.*)/).map { String($0.output.1) } }
        let folder = try settings().socketDirectory.string
        #expect(sockets == DaemonSettings.driverNames.map { "\(folder)/\($0).sock" })
    }

    /// Every example of a settings file, in documents and manual pages, is one that the daemon takes.
    @Test func examplesOfTheFileAreAccepted() async throws {
        // Pages of plugins have the plugins' settings.
        let pages = try Document.paths(ending: ".md").filter { !$0.hasPrefix("Docs/plugins/") }
        var examples = try pages.flatMap { try Document($0).code("json") }
        examples += try ManualPage("docker-nfsd.json.5").document.text.matches(of: /\.nf\n((?s).*?)\n\.fi/).map { String($0.output.1) }
        let ours = examples.filter { text in Self.keys.contains { text.contains("\"\($0)\"") } && !text.contains("mount-point-plugins") }
        #expect(ours.count >= 3)
        try await withScratchFolder { folder in
            for example in ours {
                let file = folder.string + "/settings.json"
                try example.write(toFile: file, atomically: true, encoding: .utf8)
                #expect(throws: Never.self, "\(example)") { try settings(file: file) }
            }
        }
    }
}
