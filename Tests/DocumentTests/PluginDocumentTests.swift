// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import MountPointPlugins
import SystemPackage
import TestSupport
import Testing

/// The kinds, commands, flags and settings of mountpoint-plugin are in its manual, its pages and its three completions.
struct PluginDocumentTests {
    private func help(_ words: [String]) async throws -> String {
        let result = try await command([Programs.plugin] + words + ["--help"])
        #expect(result.status == 0, "\(result)")
        return result.output
    }

    /// Every command that there is, with its help: `policy check`, and so on.
    private func commands() async throws -> [(words: [String], help: String)] {
        try await commands(below: []).filter { !$0.words.isEmpty }
    }

    private func commands(below words: [String]) async throws -> [(words: [String], help: String)] {
        let text = try await help(words)
        guard let list = text.split(separator: "SUBCOMMANDS:\n").dropFirst().first else { return [(words, text)] }
        var all = [(words, text)]
        for match in list.matches(of: #/(?m)^  ([a-z-]+) /#) { all += try await commands(below: words + [String(match.output.1)]) }
        return all
    }

    private func flags(_ help: String) -> [String] {
        help.matches(of: #/--([a-z-]+)/#).map { String($0.output.1) }.filter { !["help", "version"].contains($0) }
    }

    @Test(arguments: [("bash", "mountpoint-plugin.bash"), ("zsh", "_mountpoint-plugin"), ("fish", "mountpoint-plugin.fish")])
    func completionsAreThoseOfTheProgram(shell: String, file: String) async throws {
        let result = try await command([Programs.plugin, "--generate-completion-script", shell])
        #expect(result.status == 0)
        #expect(result.output == (try Document("Packaging/completions/\(file)").text), "write Packaging/completions/\(file) again")
    }

    @Test func theManualHasEachCommandAndFlag() async throws {
        let page = try ManualPage("mountpoint-plugin.8").plainText.joined
        let commands = try await commands()
        #expect(commands.count > 12)
        for command in commands where command.words.last != "serve" {
            let name = command.words.joined(separator: " ")
            let words = [name] + flags(command.help).map { "--\($0)" }
            for word in words { #expect(page.contains(word) == true, "mountpoint-plugin(8) lacks \(word) of \(name)") }
        }
        for variable in PluginPlaces.variables {
            #expect(page.contains(variable.name) == true, "mountpoint-plugin(8) lacks \(variable.name)")
        }
    }

    @Test func theManualHasNoOtherFlag() async throws {
        let known = Set(try await commands().flatMap { flags($0.help) })
        let page = try ManualPage("mountpoint-plugin.8").plainText
        for flag in page.matches(of: #/--([a-z-]+)/#).map({ String($0.output.1) }) {
            #expect(known.contains(flag), "there is no --\(flag)")
        }
    }

    @Test func eachKindHasItsPageWithItsCommands() async throws {
        let index = try Document("Docs/plugins/README.md").text
        let commands = try await commands()
        for kind in KindCatalogue.all {
            let name = kind.information.name
            let page = try Document("Docs/plugins/\(name).md").text
            #expect(index.contains("[\(name).md](\(name).md)"), "Docs/plugins/README.md lacks \(name)")
            for command in commands where command.words.count == 2 && command.words[0] == name && command.words[1] != "serve" {
                #expect(page.contains("mountpoint-plugin \(name) \(command.words[1])"), "Docs/plugins/\(name).md lacks \(command.words)")
            }
        }
    }

    // MARK: Settings

    /// Every text in the sources that could be the name of a setting.
    private func candidates() throws -> Set<String> {
        let sources = try Document.paths(ending: ".swift").filter { $0.hasPrefix("Sources/Features/MountPointPlugins/") }
        return try Set(sources.flatMap { try Document($0).text.matches(of: /"([a-z][A-Za-z-]*)"/).map { String($0.output.1) } })
    }

    /// Members of this object that the kind reads, apart from those that it has.
    ///
    /// - Parameter object: settings that are right, with MEMBER where one more is to stand.
    private func known(_ kind: any PluginKind.Type, _ object: String, in folder: FilePath) throws -> [String] {
        func isKnown(_ name: String) throws -> Bool {
            let file = folder.appending("settings.json")
            try object.replacing("MEMBER", with: "\"\(name)\": 12345").write(toFile: file.string, atomically: false, encoding: .utf8)
            var error: PluginError?
            do throws(PluginError) { try InstanceCheck.check(file, of: kind, places: PluginPlaces()) } catch let thrown { error = thrown }
            return error?.message.contains("there is no setting ") != true
        }
        #expect(try !isKnown("nonsense"), "\(kind.information.name): \(object) does not show what is unknown")
        return try candidates().filter(isKnown).sorted()
    }

    @Test func thePagesHaveEachSetting() async throws {
        let index = try Document("Docs/plugins/README.md").text
        try await withScratchFolder { folder in
            for kind in KindCatalogue.all {
                let name = kind.information.name
                let page = try Document("Docs/plugins/\(name).md").text
                var objects = ["{MEMBER}"]
                if kind.information.isChosenByUsers { objects.append(#"{"rules": [{"volume": "x", MEMBER}]}"#) }
                if name == "policy" { objects.append(#"{"rules": [{"action": "deny", "type": "bind", MEMBER}]}"#) }
                if name == "translate" { objects.append(#"{"paths": [{"prefix": "/p", "to": "/t", MEMBER}]}"#) }
                for object in objects {
                    let names = try known(kind, object, in: folder)
                    #expect(!names.isEmpty, "\(name): \(object)")
                    // What all kinds read is said once.
                    let text = object.contains(#""volume": "x""#) ? index : page + index
                    for setting in names {
                        let isThere = text.contains("`\(setting)`") || text.contains("`\"\(setting)\"") || text.contains("\"\(setting)\":")
                        #expect(isThere, "\(name): \(setting) of \(object) is in no page")
                    }
                }
            }
        }
    }

    @Test func examplesOfSettingsAreAccepted() async throws {
        try await withScratchFolder { folder in
            for kind in KindCatalogue.all {
                let examples = try Document("Docs/plugins/\(kind.information.name).md").code("json").filter {
                    !$0.contains("mount-point-plugins")
                }
                for example in examples {
                    let file = folder.appending("settings.json")
                    try example.write(toFile: file.string, atomically: false, encoding: .utf8)
                    #expect(throws: Never.self, "\(kind.information.name): \(example)") {
                        try InstanceCheck.check(file, of: kind, places: PluginPlaces())
                    }
                }
            }
        }
    }
}
