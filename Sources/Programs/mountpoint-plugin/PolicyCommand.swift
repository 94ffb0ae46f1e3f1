// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import DockerPluginAPI
import LinuxSystem
import MountPointPlugins

struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Deny mounts, or make them read-only, by rules.",
        subcommands: [PolicyServe.self, PolicyLog.self], defaultSubcommand: PolicyServe.self)
}

struct PolicyServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Answer mountpoint-runc until a signal comes.")
    @OptionGroup var flags: ServeFlags

    func run() async throws { await flags.serve("policy") }
}

struct PolicyLog: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "log", abstract: "Show what was denied, the oldest first.")
    @Flag(help: "A JSON object a line.") var json = false
    @Option(help: "The plugin's name, if it is not policy.") var instance: String?
    @OptionGroup var folders: PlaceFlags

    func run() async throws {
        do {
            let log = DenialLog(of: try PluginInstance(of: "policy", named: instance, places: folders.places))
            let json = json
            let text = try await BlockingThread.run(named: "log") { json ? try log.lines().map { $0 + "\n" }.joined() : try log.text() }
            print(text, terminator: "")
        } catch {
            Program.fail(error)
        }
    }
}
