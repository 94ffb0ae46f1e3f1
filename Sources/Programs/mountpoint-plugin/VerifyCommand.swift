// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import DockerPluginAPI
import LinuxSystem
import PluginVerification

struct Verify: AsyncParsableCommand {
    enum Report: String, ExpressibleByArgument, CaseIterable { case text, json, junit }

    static let configuration = CommandConfiguration(
        abstract: "Verify that a plugin keeps the rules of the protocol.",
        discussion: "Makes up containers of its own, and asks the plugin about their mounts. Exits with 1 if a rule is broken.")
    @Argument(help: "The plugin's UNIX socket, as unix:///run/docker/plugins/NAME.sock or a path.") var socket: String
    @Option(help: "Try this rule, such as V9, and not the others; may be given several times.") var rule: [String] = []
    @Option(help: "The form of the report.") var report = Report.text
    @Option(help: "A mount to try, as a request to Attach has it; needed where the plugin's patterns name paths.") var mount: [String] = []
    @Option(help: "A program's path and its arguments: it kills the plugin and has it started again (V15).") var restartCommand: String?
    @Option(help: "Seconds within which each answer has to come.") var deadline = 5.0
    @Option(help: "Containers that are attached and detached in turn to find leaks (V19).") var cycles = 1000

    func run() async throws {
        do {
            let (settings, report) = (try settings, report)
            let result = try await BlockingThread.run(named: "verify") { try VerificationReport(of: settings) }
            switch report {
            case .text: print(result.text, terminator: "")
            case .json: print(result.jsonText, terminator: "")
            case .junit: print(result.junitText, terminator: "")
            }
            if !result.isRight { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            Program.fail(error)
        }
    }

    private var settings: VerificationSettings {
        get throws {
            let scheme = "unix://"
            var settings = VerificationSettings(socket: socket.hasPrefix(scheme) ? String(socket.dropFirst(scheme.count)) : socket)
            guard settings.socket.utf8.first == UInt8(ascii: "/") else {
                throw VerificationError("\(SanitizedText(socket)) is no UNIX socket; give unix:///PATH")
            }
            guard deadline > 0, deadline <= 3600 else { throw VerificationError("--deadline must be above 0, and 3600 seconds at most") }
            guard (1...1_000_000).contains(cycles) else { throw VerificationError("--cycles must be from 1 to 1000000") }
            if !rule.isEmpty {
                settings.rules = try rule.map { name in
                    guard let rule = VerificationRule(name: name) else {
                        let known = VerificationRule.allCases.map(\.rawValue).joined(separator: ", ")
                        throw VerificationError("\(SanitizedText(name)) is no rule; there are \(known)")
                    }
                    return rule
                }
            }
            settings.mounts = try mount.map { try VerificationSettings.mount(json: $0) }
            settings.restartCommand = restartCommand
            settings.deadline = .milliseconds(Int(deadline * 1000))
            settings.cycles = cycles
            return settings
        }
    }
}
