// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import TestSupport

/// mountpoint-plugin in the host of a scenario, with its state on the host's tmpfs.
struct ServedPlugin {
    static let program = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/mountpoint-plugin"
    static let state = PrivateHost.folder + "/plugin-state"
    static let environment = [
        "MOUNTPOINT_PLUGIN_STATE_DIRECTORY": state, "MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY": Dockerd.dataRoot,
    ]

    /// Serves a kind with these settings, makes it the chain's last plugin, runs the body, and ends the plugin.
    ///
    /// - Parameter before: plugins of the chain that are asked before.
    static func run(
        _ kind: String, settings: String, before: [String] = [], in scenario: Scenario, _ body: () async throws -> Void
    ) async throws {
        let host = scenario.host
        mkdir(host.path("/etc/docker/mountpoint-plugin"), 0o755)
        try host.write(settings, to: "/etc/docker/mountpoint-plugin/\(kind).json")
        let process = try await start(kind, on: host)
        var failure: (any Error)?
        do {
            try scenario.setChain(before + [kind])
            try await body()
        } catch {
            failure = Trouble("\(error)\n-- \(kind): \(host.log("\(kind).log"))")
        }
        try await end(process, on: host)
        try? FileManager.default.removeItem(atPath: host.path(state))
        try? FileManager.default.removeItem(atPath: host.path("/etc/docker/mountpoint-plugin"))
        if let failure { throw failure }
    }

    static func start(_ kind: String, on host: PrivateHost) async throws -> SpawnedProcess {
        // One that was killed has said the same before.
        let said = host.log("\(kind).log").utf8.count
        let process = try host.start([program, kind], environment: environment, log: "\(kind).log")
        try await eventually("\(kind) listens", within: .seconds(20)) {
            if process.hasEnded { throw Trouble("\(kind) has ended: \(host.log("\(kind).log"))") }
            return String(decoding: host.log("\(kind).log").utf8.dropFirst(said), as: UTF8.self).contains("serves \(kind)")
        }
        return process
    }

    static func end(_ process: SpawnedProcess, on host: PrivateHost, by signal: Int32 = SIGTERM) async throws {
        for process in host.processes() where process.name == "mountpoint-plug" || process.name == "mountpoint-plugin" {
            try await host.signal(signal, process.id)
        }
        _ = try await process.end(within: .seconds(20))
    }

    /// Runs one of its commands in the host.
    static func command(_ words: [String], on host: PrivateHost) async throws -> CommandResult {
        try await host.run(["env"] + environment.map { "\($0.key)=\($0.value)" } + [program] + words)
    }
}
