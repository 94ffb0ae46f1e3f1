// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import DockerVolumes
import SystemPackage
import TestSupport
import Testing

/// docker-nfsd as a program: what its command line takes, and how it fails.
struct DaemonProgramTests {
    /// A text that no setting takes.
    private static let bad = "\u{7}"

    /// - Parameter environment: the only variables of the program's own.
    private func run(_ words: [String], environment: [String: String] = [:]) async throws -> CommandResult {
        try await command([Programs.daemon] + words, environment: environment, limit: 60)
    }

    @Test(arguments: ["serve", "status", "doctor"])
    func helpHasEachSettingAndNoOther(name: String) async throws {
        let result = try await run([name, "--help"])
        #expect(result.status == 0)
        let help = result.output.joined
        let flags = help.matches(of: #/ --([a-z-]+) <[a-z-]+>/#).map { String($0.output.1) }
        #expect(flags.sorted() == (DaemonSettings.all.map(\.key) + ["config"]).sorted())
        let variables = help.matches(of: /\((DOCKER_NFSD_[A-Z_]+)\)/).map { String($0.output.1) }
        #expect(variables.sorted() == DaemonSettings.all.map(\.variable).sorted())
        for setting in DaemonSettings.all { #expect(help.contains(setting.help), "\(setting.key)") }
    }

    @Test(arguments: DaemonSettings.all.map(\.key))
    func eachFlagAndVariableReachesItsSetting(key: String) async throws {
        let setting = try #require(DaemonSettings.all.first { $0.key == key })
        for (result, place) in [
            (try await run(["status", "--\(key)", Self.bad]), "--\(key)"),
            (try await run(["status"], environment: [setting.variable: Self.bad]), setting.variable),
        ] {
            #expect(result.status == 1)
            #expect(result.output.hasPrefix("docker-nfsd: \(place)=\(Self.bad): "), "\(result)")
            #expect(result.output.filter { $0 == "\n" }.count == 1, "\(result)")
        }
    }

    @Test(arguments: ["serve", "status", "doctor"])
    func failsInOneLine(name: String) async throws {
        let missing = try await run([name, "--config", "/nonexistent/docker-nfsd.json"])
        #expect(missing.status == 1)
        #expect(missing.output.wholeMatch(of: /docker-nfsd: settings file: [^\n]*No such file[^\n]*\n/) != nil, "\(missing)")
        let wrong = try await run([name, "--mount-deadline", "1000"])
        #expect(wrong.status == 1)
        #expect(wrong.output == "docker-nfsd: --mount-deadline=1000: not a number of seconds from 1 to 110\n")
        let unknown = try await run([name, "--nonsense"])
        #expect(unknown.status == 64, "what the manual has for a command line that is not understood")
        #expect(unknown.output.hasPrefix("Error: Unknown option '--nonsense'\n"), "\(unknown)")
    }

    @Test func aSecondDaemonOnTheSameFilesIsRefused() async throws {
        try await RunningDaemon.with { first in
            let set = try await run(["volume", "set", "none", "o=hard"] + first.flags)
            #expect(set.status == 1 && set.output == "docker-nfsd: no such volume: none\n", "\(set)")
            let second = try await run(["serve", "--engine-socket", "none"] + first.flags)
            #expect(second.status == 1)
            let place = first.folder.appending("state/lock")
            let end = "process \(first.process) has it; stop that one first\n"
            #expect(second.output.hasPrefix("docker-nfsd: lock \(place): "), "\(second)")
            #expect(second.output.hasSuffix(end), "\(second)")
        }
    }

    @Test func aWordThatIsNoCommandIsNotUnderstood() async throws {
        let result = try await run(["nonsense"])
        #expect(result.status == 64)
        #expect(result.output.hasPrefix("Error: Unexpected argument 'nonsense'\n"), "\(result)")
    }

    /// The files are what the program itself writes: CONTRIBUTING.md has the commands.
    @Test(arguments: [("bash", "docker-nfsd.bash"), ("zsh", "_docker-nfsd"), ("fish", "docker-nfsd.fish")])
    func theCompletionsAreThoseOfTheProgram(shell: String, file: String) async throws {
        let result = try await run(["--generate-completion-script", shell])
        #expect(result.status == 0)
        #expect(result.output == (try Document("Packaging/completions/\(file)").text), "write Packaging/completions/\(file) again")
    }

    @Test func theStandInForTestsIsChosenByTheEnvironmentAlone() async throws {
        let variable = "DOCKER_NFSD_TEST_STAND_IN"
        let shown = "[warning] NFS version 4: tmpfs stands in for it: a test\n"
        #expect(try await run(["doctor"], environment: [variable: "tmpfs:none"]).output.contains(shown))
        #expect(try await !run(["doctor"]).output.contains("stands in for it"))
        #expect(try await run(["doctor", "--test-stand-in", "tmpfs:none"]).status == 64)
        try await withScratchFolder { folder in
            let file = folder.string + "/settings.json"
            try "{\"test-stand-in\": \"tmpfs:none\"}".write(toFile: file, atomically: true, encoding: .utf8)
            let result = try await run(["doctor", "--config", file])
            #expect(result.status == 1 && result.output.contains("test-stand-in"), "\(result)")
        }
    }

    @Test func theManualHasEachCommandAndFlag() async throws {
        let page = try ManualPage("docker-nfsd.8")
        let help = try await run(["--help"]).output
        let commands = help.matches(of: /\n  ([a-z]+) {2,}/).map { String($0.output.1) }
        #expect(commands.sorted() == ["doctor", "import", "serve", "status", "top", "volume"])
        #expect(page.terms("COMMANDS").map { String($0.prefix { $0 != " " }) }.sorted() == commands.sorted())
        for flag in ["--config", "--version", "--help", "--json", "--interval", "--count"] {
            #expect(page.plainText.contains(flag), "\(flag)")
        }
    }
}
