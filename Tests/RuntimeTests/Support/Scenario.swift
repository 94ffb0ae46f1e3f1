// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

/// One test's plugins, and Docker with the runtime that consults them.
final class Scenario: DockerUser {
    let runtimeHost: RuntimeHost
    let log = RecordedCalls()
    private let plugins = Mutex<[String: TestPlugin]>([:])

    var dockerd: Dockerd { runtimeHost.dockerd }

    private init(on runtimeHost: RuntimeHost) { self.runtimeHost = runtimeHost }

    /// Serves plugins, makes them the chain, and runs the body. Afterwards all containers and volumes are removed, each plugin must
    /// have been asked to detach what it attached, and nothing may be left that was not there before.
    ///
    /// - Parameters:
    ///   - names: the chain. Each plugin is served.
    ///   - settings: what else the runtime finds in its settings.
    static func run(
        _ names: String..., settings: JSONObject = [:], isBalanced: Bool = true, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (Scenario) async throws -> Void
    ) async throws {
        guard let host = RuntimeHost.current else { throw Trouble("this test belongs into a suite with a runtimeHost") }
        try await run(on: host, names, settings: settings, isBalanced: isBalanced, sourceLocation: sourceLocation, body)
    }

    static func run(
        on host: RuntimeHost, _ names: [String], settings: JSONObject = [:], isBalanced: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation, _ body: (Scenario) async throws -> Void
    ) async throws {
        try? FileManager.default.removeItem(atPath: host.host.path(RuntimeHost.dataFolder))
        let before = try host.state()
        let scenario = Scenario(on: host)
        var failure: (any Error)?
        do {
            for name in names { try await scenario.serve(name) }
            try scenario.setChain(names, settings)
            try await body(scenario)
        } catch {
            failure = error
        }
        do { try await scenario.removeContainers() } catch { failure = failure ?? error }
        if isBalanced {
            try? await eventually("the books balance", within: .seconds(30)) { scenario.log.imbalance.isEmpty }
            #expect(scenario.log.imbalance == [], "\(scenario.log.lines.joined(separator: "\n"))", sourceLocation: sourceLocation)
        }
        scenario.plugins.withLock { plugins in
            for plugin in plugins.values { plugin.end() }
        }
        var leftovers: [String] = []
        try? await eventually("nothing is left", within: .seconds(30)) {
            leftovers = try host.state().differences(from: before)
            return leftovers.isEmpty
        }
        #expect(leftovers == [], sourceLocation: sourceLocation)
        if let failure { throw Trouble("\(failure)\n-- what the plugins were asked:\n\(scenario.log.lines.joined(separator: "\n"))") }
    }

    private func removeContainers() async throws {
        let containers = try await docker("ps", "--all", "--quiet", "--no-trunc").split(separator: "\n").map(String.init)
        if !containers.isEmpty { try await docker(["rm", "--force", "--volumes"] + containers) }
        let volumes = try await docker("volume", "ls", "--quiet").split(separator: "\n").map(String.init)
        if !volumes.isEmpty { try await docker(["volume", "rm"] + volumes) }
    }

    // MARK: Plugins

    /// Serves a plugin; one of this name that is served already ends first.
    @discardableResult
    func serve(_ name: String, at address: TestPlugin.Address = .socket, patterns: JSONValue = [[:]], mounted: Bool = false) async throws
        -> TestPlugin
    {
        plugins.withLock { $0.removeValue(forKey: name) }?.end()
        let plugin = try await TestPlugin(name, on: host, log: log, at: address, patterns: patterns, mounted: mounted)
        plugins.withLock { $0[name] = plugin }
        return plugin
    }

    subscript(_ name: String) -> TestPlugin { plugins.withLock { $0[name]! } }

    /// For containers that start from now on.
    func setChain(_ names: [String], _ settings: JSONObject = [:]) throws {
        var document: JSONObject = ["mount-point-plugins": .array(names.map { .string($0) })]
        for member in settings.members { document[member.key] = member.value }
        try runtimeHost.write(settings: .object(document))
    }

    // MARK: Containers

    /// Words that let a container mount folders of these names at `/NAME`.
    func binds(_ names: String...) throws -> [String] {
        try names.flatMap { ["--volume", "\(try runtimeHost.makeFolder($0)):/\($0)"] }
    }

    func folder(_ name: String) throws -> String { try runtimeHost.makeFolder(name) }

    /// `docker run` with a runtime, without a network.
    func run(
        _ words: [String], script: String, runtime: String = "mountpoint", image: String = "busybox", limit: Double = 60
    ) async throws -> CommandResult {
        try await runDocker(
            ["run", "--runtime", runtime, "--network", "none"] + words + [image, "sh", "-c", script], limit: limit)
    }

    /// Starts a container that ends with this status on SIGTERM, and otherwise runs on.
    ///
    /// - Returns: its id.
    @discardableResult
    func start(_ name: String, _ words: [String], status: Int = 0, runtime: String = "mountpoint") async throws -> String {
        try await docker(
            ["run", "--detach", "--name", name, "--runtime", runtime, "--network", "none"] + words
                + ["busybox", "sh", "-c", "trap 'exit \(status)' TERM; while :; do sleep 1000 & wait; done"])
    }

    /// Stops a container and gives its exit status.
    func stop(_ name: String) async throws -> Int {
        try await docker("stop", "--time", "10", name)
        return try await exitCode(name)
    }

    func exitCode(_ name: String) async throws -> Int {
        try await inspect("container", name)["State"]?["ExitCode"]?.intValue ?? -1
    }
}
