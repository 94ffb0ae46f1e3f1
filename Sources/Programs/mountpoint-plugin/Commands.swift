// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import DockerPluginAPI
import LinuxSystem
import MountPointPlugins
import SystemPackage

struct MountPointPluginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mountpoint-plugin", abstract: "Mount point plugins for mountpoint-runc.",
        discussion: "mountpoint-plugin KIND serves the plugin KIND until a signal comes; what containers have stays.", version: version,
        subcommands: [
            List.self, Status.self, Doctor.self, Check.self, Verify.self, CopyOnWriteCommand.self, NoSwapCommand.self,
            OwnershipCommand.self, PolicyCommand.self,
            TranslateCommand.self,
        ])
}

/// Folders of the host as flags; each beats the environment.
struct PlaceFlags: ParsableArguments {
    @Option(help: Self.help(0)) var socketDirectory: String?
    @Option(help: Self.help(1)) var settingsDirectory: String?
    @Option(help: Self.help(2)) var stateDirectory: String?
    @Option(help: Self.help(3)) var runtimeDirectory: String?
    @Option(help: Self.help(4)) var dockerDirectory: String?

    var places: PluginPlaces {
        get throws {
            var places = try PluginPlaces.ofEnvironment()
            let texts = [socketDirectory, settingsDirectory, stateDirectory, runtimeDirectory, dockerDirectory]
            for (variable, text) in zip(PluginPlaces.variables, texts) {
                guard let text else { continue }
                guard text.utf8.first == UInt8(ascii: "/") else { throw ValidationError("\(text) is no absolute path") }
                variable.set(&places, FilePath(text))
            }
            return places
        }
    }

    private static func help(_ index: Int) -> ArgumentHelp {
        let variable = PluginPlaces.variables[index]
        return ArgumentHelp("\(variable.help) (\(variable.name))", valueName: "directory")
    }
}

/// The flags with which a kind is served.
struct ServeFlags: ParsableArguments {
    @Option(help: "The plugin's name in the chain, of its socket and its settings; by default the kind's.") var instance: String?
    @OptionGroup var folders: PlaceFlags

    func serve(_ kind: String) async {
        do { try await Service.run(kind, instance: instance, places: folders.places) } catch { Program.fail(error) }
    }
}

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the kinds of plugins.")

    func run() { print(KindCatalogue.text, terminator: "") }
}

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show in whose mounts plugins take part.", discussion: "Reads the plugins' files, and asks none of them.")
    @Flag(help: "As one JSON object.") var json = false
    @Argument(help: "A container's name, its id, or at least four digits of it.") var container: String?
    @OptionGroup var folders: PlaceFlags

    func run() async throws {
        do {
            let (places, container) = (try folders.places, container)
            let report = try await BlockingThread.run(named: "status") { try InstanceReport(on: places, container: container) }
            for problem in report.problems { Program.warn(problem) }
            print(json ? report.jsonText : report.text, terminator: "")
            if !report.problems.isEmpty { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            Program.fail(error)
        }
    }
}

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check this host for what plugins need.", discussion: "Exits with 1 if anything failed.")
    @Argument(help: "A kind; all of them if it is left out.") var kind: String?
    @OptionGroup var folders: PlaceFlags

    func run() async throws {
        do {
            let places = try folders.places
            let kind = try kind.map { try KindCatalogue.kind(named: $0) }
            let findings = try await BlockingThread.run(named: "doctor") { InstanceCheck.findings(of: kind, places: places) }
            for finding in findings { print("[\(finding.verdict.rawValue)] \(SanitizedText.withoutControls(finding.text))") }
            if findings.contains(where: { $0.verdict == .failed }) { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            Program.fail(error)
        }
    }
}

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Check a settings file.")
    @Argument(help: "The kind of plugin.") var kind: String
    @Argument(help: "The file.") var file: String
    @OptionGroup var folders: PlaceFlags

    func run() async throws {
        do {
            let (kind, places, file) = (try KindCatalogue.kind(named: kind), try folders.places, file)
            try await BlockingThread.run(named: "check") { try InstanceCheck.check(FilePath(file), of: kind, places: places) }
            print("\(file) is right")
        } catch {
            Program.fail(error)
        }
    }
}
