// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import LinuxSystem
import MountPointPlugins

struct OwnershipCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ownership", abstract: "Have the owner of files appear as the container's user.",
        subcommands: [OwnershipServe.self, OwnershipGiveBackCommand.self], defaultSubcommand: OwnershipServe.self)
}

struct OwnershipServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Answer mountpoint-runc until a signal comes.")
    @OptionGroup var flags: ServeFlags

    func run() async throws { await flags.serve("ownership") }
}

struct OwnershipGiveBackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "give-back", abstract: "Give back what still belongs to the users of containers that are gone.",
        discussion: "Does what the plugin does at a container's end, if it was away then or failed. Exits with 1 if something is left.")
    @Flag(help: "All containers that are gone.") var all = false
    @Flag(help: "Forget what cannot be given back, such as a folder that was removed.") var forget = false
    @Option(help: "The plugin's name, if it is not ownership.") var instance: String?
    @Argument(help: "A container's name, its id, or at least four digits of it.") var container: String?
    @OptionGroup var folders: PlaceFlags

    func validate() throws {
        if all == (container != nil) { throw ValidationError("name a container, or say --all") }
    }

    func run() async throws {
        do {
            let instance = try PluginInstance(of: "ownership", named: instance, places: folders.places)
            let work = OwnershipGiveBack(container: container, forgets: forget)
            let outcome = try await BlockingThread.run(named: "give-back") { try work.run(instance) }
            print(outcome.text, terminator: "")
            for problem in outcome.problems { Program.warn(problem) }
            if !outcome.problems.isEmpty { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            Program.fail(error)
        }
    }
}
