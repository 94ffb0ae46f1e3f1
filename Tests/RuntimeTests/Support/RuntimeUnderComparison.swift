// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import TestSupport
import Testing

/// One of the ways in which a transparency case is run: under the runtime below alone, or under the one under test.
struct RuntimeUnderComparison: DockerUser {
    let scenario: Scenario
    let runtime: String
    /// Of its container.
    let name: String
    /// Seconds that nobody else sleeps.
    let mark: Int

    var dockerd: Dockerd { scenario.dockerd }

    /// The words of `docker run`, with a folder mounted at `/a`. Without a network, unless the words have one.
    func words(_ options: [String], _ command: [String]) throws -> [String] {
        let network = options.contains { $0.hasPrefix("--network") } ? [] : ["--network=none"]
        return ["run", "--runtime", runtime, "--name", name] + network + ["--volume", "\(try scenario.folder(name)):/a"] + options + [
            "busybox"
        ] + command
    }

    /// `docker run` of a shell script.
    func run(_ options: String..., script: String, limit: Double = 60) async throws -> CommandResult {
        try await runDocker(words(options, ["sh", "-c", script]), limit: limit)
    }

    /// A container that runs on. On SIGTERM it ends with status 3, on SIGUSR1 and SIGHUP it says so.
    func start(_ options: String...) async throws {
        let script =
            "trap 'exit 3' TERM; trap 'echo usr1' USR1; trap 'echo hup' HUP; trap 'echo int' INT; echo up; while :; do sleep 1000 & wait $!; done"
        try await docker(words(["--detach"] + options, ["sh", "-c", script]))
        try await eventually("it is up") { try await docker("logs", name) == "up" }
    }

    /// `docker COMMAND OPTIONS NAME WORDS`, as one fact.
    func fact(_ command: String, _ options: String..., then words: [String] = []) async throws -> String {
        clean("\(command): \(try await runDocker([command] + options + [name] + words))")
    }

    func inspect() async throws -> JSONValue { try await inspect("container", name) }

    /// What `docker inspect` says of its state.
    func state() async throws -> String {
        let container = try await inspect()
        let state = container["State"] ?? .null
        let facts = ["Status", "Running", "Paused", "Restarting", "OOMKilled", "Dead", "ExitCode", "Error"].map {
            "\($0) \(state[$0] ?? .null)"
        }
        return clean((facts + ["RestartCount \(container["RestartCount"] ?? .null)"]).joined(separator: ", "))
    }

    /// The number that Docker shows, as it is inside of the host.
    func process() async throws -> Int { try await inspect()["State"]?["Pid"]?.intValue ?? 0 }

    func waitForEnd() async throws {
        try await eventually("it has ended") { try await inspect()["State"]?["Running"] == false }
    }

    /// Removes the container, then tells what is left of it.
    func remove() async throws { try await docker("rm", "--force", name) }

    /// Without what differs from container to container: ids, its name, times.
    func clean(_ text: String) -> String {
        // script(1) shows the end of its own input at any time.
        Client.withoutWaiting(text).replacing("^@", with: "").replacing(/[0-9a-f]{64}/, with: "ID").replacing(
            /\b[0-9a-f]{12}\b/, with: "ID"
        ).replacing(name, with: "NAME")
    }
}

/// What `docker` says beside the point.
enum Client {
    /// Without its line about a container that has never started, which comes before the error, after it, or not at all.
    static func withoutWaiting(_ text: String) -> String {
        text.replacing(
            /(time="[^"]*" level=error msg=|\x1B\[31mERRO\x1B\[0m\[\d+\] )"?error waiting for container: [a-z ]*"? ?\r?\n/, with: "")
    }
}

/// Something that must be as it is without the runtime under test.
struct TransparencyCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Gives what is to be the same.
    var facts: @Sendable (RuntimeUnderComparison) async throws -> [String]

    init(_ description: String, _ facts: @escaping @Sendable (RuntimeUnderComparison) async throws -> [String]) {
        (testDescription, self.facts) = (description, facts)
    }

    /// Runs it under plain runc, with a plugin that attaches, and with one that does not match.
    func compare(below: String = "runc", above: String = "mountpoint") async throws {
        try await Scenario.run("keen", "idle") { scenario in
            try await scenario.serve("idle", patterns: [["Destination": [["Exactly": "/nowhere"]]]])
            try scenario.setChain(["keen"])
            async let first = facts(of: RuntimeUnderComparison(scenario: scenario, runtime: below, name: "plain", mark: 98_765_001))
            async let second = facts(of: RuntimeUnderComparison(scenario: scenario, runtime: above, name: "attached", mark: 98_765_002))
            async let third = facts(
                of: RuntimeUnderComparison(scenario: scenario, runtime: above + "-idle", name: "unmatched", mark: 98_765_003))
            let (plain, attached, unmatched) = try await (first, second, third)
            #expect(attached == plain, "with a plugin that attaches")
            #expect(unmatched == plain, "with a plugin that has nothing to do")
            let sources = Set(scenario.log.calls(.attach).map { "\($0.plugin) \($0.mounts.first?["EffectiveSource"]?.stringValue ?? "")" })
            #expect(sources == ["keen \(try scenario.folder("attached"))"])
        }
    }

    private func facts(of compared: RuntimeUnderComparison) async throws -> [String] {
        do {
            let facts = try await facts(compared)
            try await compared.remove()
            return facts
        } catch {
            throw Trouble("\(compared.name): \(error)")
        }
    }
}
