// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import DockerPluginAPI
import LinuxSystem
import MountPointPlugins

struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Deny mounts, or make them read-only, by rules.",
        subcommands: [PolicyServe.self, PolicyCheckCommand.self, PolicyLog.self], defaultSubcommand: PolicyServe.self)
}

struct PolicyServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Answer mountpoint-runc until a signal comes.")
    @OptionGroup var flags: ServeFlags

    func run() async throws { await flags.serve("policy") }
}

struct PolicyCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Say what would become of mounts, and by which rule.",
        discussion: "The words are those of docker run. Exits with 1 if a mount would be denied.")
    @Option(name: [.customShort("v"), .long], help: "A mount, as SOURCE:PATH[:MODE].") var volume: [String] = []
    @Option(help: "The driver of volumes.") var volumeDriver = "local"
    @Option(name: [.customShort("l"), .long], help: "A label of the container, as KEY=VALUE.") var label: [String] = []
    @Option(help: "The image.") var image = ""
    @Option(help: "A label of the image, as KEY=VALUE.") var imageLabel: [String] = []
    @Option(help: "The container's name.") var name = ""
    @Option(name: [.customShort("u"), .long], help: "Whom its process runs as, as UID or UID:GID.") var user = ""
    @Option(help: "The plugin's name, if it is not policy.") var instance: String?
    @OptionGroup var folders: PlaceFlags

    func validate() throws {
        if volume.isEmpty { throw ValidationError("no mount is given; say -v SOURCE:PATH") }
    }

    func run() async throws {
        do {
            let instance = try PluginInstance(of: "policy", named: instance, places: folders.places)
            var check = PolicyCheck()
            (check.volumes, check.volumeDriver, check.labels) = (volume, volumeDriver, label)
            (check.image, check.imageLabels, check.name, check.user) = (image, imageLabel, name, user)
            let answer = try await BlockingThread.run(named: "check") { [check] in try check.run(instance) }
            print(answer.text, terminator: "")
            if !answer.isAllowed { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            Program.fail(error)
        }
    }
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
