// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import DockerPluginAPI
import LinuxSystem
import MountPointPlugins

struct TranslateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "translate", abstract: "Mount what a path means in another container or on another system.",
        subcommands: [TranslateServe.self, TranslateCheck.self], defaultSubcommand: TranslateServe.self)
}

struct TranslateServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Answer mountpoint-runc until a signal comes.")
    @OptionGroup var flags: ServeFlags

    func run() async throws { await flags.serve("translate") }
}

struct TranslateCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Show the rule for a path, and what it means now.", discussion: "Makes and changes nothing.")
    @Argument(help: "An absolute path, also as Windows spells it.") var path: String
    @Option(help: "The plugin's name, if it is not translate.") var instance: String?
    @OptionGroup var folders: PlaceFlags

    func run() async throws {
        do {
            let instance = try PluginInstance(of: "translate", named: instance, places: folders.places)
            let path = path
            let (text, isUsable) = try await BlockingThread.run(named: "check") { try TranslateKind.explanation(of: path, instance) }
            print(text, terminator: "")
            if !isUsable { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            Program.fail(error)
        }
    }
}
