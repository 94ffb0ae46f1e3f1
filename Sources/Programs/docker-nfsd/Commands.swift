// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import DockerVolumes
import Glibc
import KernelMount
import LinuxSystem
import Logging
import PluginServer
import Volumes

struct DockerNFSD: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "docker-nfsd", abstract: "NFS volumes for Docker by kernel mounts.", version: version,
        subcommands: [Serve.self, Status.self, Top.self, Doctor.self, VolumeCommand.self, Import.self])
}

/// The settings as flags; each beats the environment and the file.
struct SettingFlags: ParsableArguments {
    @Option(help: "The settings file (default: \(DaemonSettings.defaultFile)).") var config: String?
    @Option(help: Self.help("state-directory")) var stateDirectory: String?
    @Option(help: Self.help("runtime-directory")) var runtimeDirectory: String?
    @Option(help: Self.help("mount-directory")) var mountDirectory: String?
    @Option(help: Self.help("socket-directory")) var socketDirectory: String?
    @Option(help: Self.help("docker-directory")) var dockerDirectory: String?
    @Option(help: Self.help("engine-socket")) var engineSocket: String?
    @Option(help: Self.help("share")) var share: String?
    @Option(help: Self.help("share-refresh")) var shareRefresh: String?
    @Option(help: Self.help("options")) var options: String?
    @Option(help: Self.help("nfsvers")) var nfsvers: String?
    @Option(help: Self.help("mount-deadline")) var mountDeadline: String?
    @Option(help: Self.help("probe-deadline")) var probeDeadline: String?
    @Option(help: Self.help("resolve-deadline")) var resolveDeadline: String?
    @Option(help: Self.help("unmount-deadline")) var unmountDeadline: String?
    @Option(help: Self.help("remove-deadline")) var removeDeadline: String?
    @Option(help: Self.help("retry")) var retry: String?
    @Option(help: Self.help("restart-failed")) var restartFailed: String?
    @Option(help: Self.help("mount-method")) var mountMethod: String?
    @Option(help: Self.help("metrics")) var metrics: String?
    @Option(help: Self.help("log-level")) var logLevel: String?

    var texts: [String: String] {
        let all = [
            "state-directory": stateDirectory, "runtime-directory": runtimeDirectory, "mount-directory": mountDirectory,
            "socket-directory": socketDirectory, "docker-directory": dockerDirectory, "engine-socket": engineSocket, "share": share,
            "share-refresh": shareRefresh, "options": options, "nfsvers": nfsvers, "mount-deadline": mountDeadline,
            "probe-deadline": probeDeadline, "resolve-deadline": resolveDeadline,
            "unmount-deadline": unmountDeadline, "remove-deadline": removeDeadline, "retry": retry,
            "restart-failed": restartFailed, "mount-method": mountMethod, "metrics": metrics, "log-level": logLevel,
        ]
        return all.compactMapValues { $0 }
    }

    var settings: DaemonSettings { get throws { try Daemon.settings(flags: texts, file: config) } }

    private static func help(_ key: String) -> ArgumentHelp {
        let setting = DaemonSettings.all.first { $0.key == key }
        return ArgumentHelp("\(setting?.help ?? key) (\(setting?.variable ?? ""))")
    }
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Answer Docker until a signal comes; mounts stay.")
    @OptionGroup var flags: SettingFlags

    func run() async throws {
        do { try await Daemon.run(flags: flags.texts, file: flags.config, signals: Program.signals.get()) } catch { Daemon.fail(error) }
    }
}

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show volumes, their mounts, and who holds them.")
    @Flag(help: "As one JSON object.") var json = false
    @OptionGroup var flags: SettingFlags

    func run() async throws {
        do {
            let settings = try flags.settings
            let logger = Logger(label: "docker-nfsd") { _ in JournalLogHandler(level: .warning) }
            let report = try await BlockingThread.run(named: "status") { try StatusReport(settings: settings, logger: logger) }
            print(json ? report.jsonText : report.text, terminator: "")
        } catch {
            Daemon.fail(error)
        }
    }
}

struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what volumes do, again and again.",
        discussion: "Needs neither the daemon nor Docker, and never touches a mount. Ends with Ctrl-C.")
    @Option(help: "Seconds between two tables, from 1 to 3600.") var interval = 2
    @Option(help: "Show this many tables, and end.") var count: Int?
    @OptionGroup var flags: SettingFlags

    func validate() throws {
        guard (1...3600).contains(interval) else { throw ValidationError("--interval is not a number of seconds from 1 to 3600") }
        if let count, count < 1 { throw ValidationError("--count is not a number of tables from 1 on") }
    }

    func run() async throws {
        do {
            let settings = try flags.settings
            let ending = try Cancellation()
            let signals = try Program.signals.get()
            Task {
                _ = try? await signals.first()
                ending.cancel()
            }
            try await BlockingThread.run(named: "top") { [count, interval] in
                try TrafficWatch(settings: settings).run(every: .seconds(interval), times: count, on: TerminalScreen(), until: ending)
            }
        } catch {
            Daemon.fail(error)
        }
    }
}

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check this host, and an export if one is given.",
        discussion:
            "With SERVER:/PATH the name is resolved, the server asked, and the export mounted once and unmounted again. Exits with 1 if anything failed."
    )
    @Argument(help: "An export, as HOST:/PATH, 192.0.2.1:/PATH or [2001:db8::1]:/PATH.") var export: String?
    @Option(name: .customShort("o"), help: "Mount options for the trial, as in --opt o=….") var mountOptions: String?
    @OptionGroup var flags: SettingFlags

    func run() async throws {
        do {
            let settings = try flags.settings
            // The share is this host's own setting, so it is looked at unless something else is asked for.
            let (export, options) = (export ?? settings.volumes.share?.text, mountOptions ?? "")
            let findings = try await BlockingThread.run(named: "doctor") {
                let check = HostCheck(settings: settings)
                return check.host() + (try export.map { try check.export($0, options: options, versions: nil) } ?? [])
            }
            for finding in findings { print(finding.text) }
            if findings.contains(where: { $0.verdict == .failed }) { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            Daemon.fail(error)
        }
    }
}

struct VolumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Change a volume.", subcommands: [VolumeSet.self])
}

struct VolumeSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Change options of a volume that is not mounted.",
        discussion: "OPTION= takes an option away. On a default share, the change is for all nodes.")
    @Argument(help: "The volume's name.") var name: String
    @Argument(help: "An option and its value, as OPTION=VALUE.") var changes: [String]
    @OptionGroup var flags: SettingFlags

    func run() async throws {
        do {
            let command = try VolumeSetCommand(settings: try flags.settings, name: name, words: changes)
            let logger = Logger(label: "docker-nfsd") { _ in JournalLogHandler(level: .warning) }
            print(try await command.run(logger: logger), terminator: "")
        } catch {
            Daemon.fail(error)
        }
    }
}

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print how a volume of another driver is defined for docker-nfsd.",
        discussion:
            "Prints commands for a shell, and the same for a Compose file. Reads Docker's files, and changes nothing. The volume has to be one whose options name an NFS export."
    )
    @Argument(help: "The volume's name.") var volume: String
    @OptionGroup var flags: SettingFlags

    func run() async throws {
        do {
            let settings = try flags.settings
            let text = try await BlockingThread.run(named: "import") { [volume] in try VolumeImport(volume, settings: settings).text }
            print(text, terminator: "")
        } catch {
            Daemon.fail(error)
        }
    }
}
