// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport

/// A bundle that a person has made, and the runtime called by hand. runtime-spec, config.md.
struct HandBundle: Sendable {
    let scenario: Scenario
    let id: String
    /// Its folder.
    let path: String

    static let root = PrivateHost.folder + "/runc"
    private static let folder = PrivateHost.folder + "/bundles"

    var host: PrivateHost { scenario.host }
    var configurationFile: String { path + "/config.json" }
    private var outputFile: String { host.scratch + "/\(id).out" }

    /// - Parameters:
    ///   - mounts: names of folders that are mounted at `/NAME`.
    ///   - script: what its shell runs.
    init(
        _ id: String, in scenario: Scenario, mounts: [String] = ["a"], script: String = "trap 'exit 3' TERM; sleep 1000 & wait",
        terminal: Bool = false
    ) async throws {
        (self.scenario, self.id, path) = (scenario, id, "\(Self.folder)/\(id)")
        try FileManager.default.createDirectory(atPath: scenario.host.path(path), withIntermediateDirectories: true)
        try? FileManager.default.removeItem(atPath: outputFile)
        let made = try await scenario.host.run(["runc", "spec", "--bundle", path])
        guard made.status == 0 else { throw Trouble("runc spec: \(made)") }
        try edit { configuration in
            configuration.set(["path": .string(scenario.host.scratch + "/image.tar.d"), "readonly": true], at: "root")
            configuration.set(.bool(terminal), at: "process", "terminal")
            configuration.set(["sh", "-c", .string(script)], at: "process", "args")
            configuration.set(.string("/\(scenario.host.name)/\(id)"), at: "linux", "cgroupsPath")
            let given = try mounts.map { name in
                JSONValue.object([
                    "destination": .string("/\(name)"), "type": "bind", "source": .string(try scenario.folder(name)),
                    "options": ["rbind", "rw"],
                ])
            }
            configuration.set(.array((configuration["mounts"]?.arrayValue ?? []) + given), at: "mounts")
        }
    }

    /// Changes config.json.
    func edit(_ change: (inout JSONValue) throws -> Void) throws {
        var document = try JSONValue(parsing: Array((host.contents(of: configurationFile) ?? "").utf8))
        try change(&document)
        try host.write("\(document)\n", to: configurationFile)
    }

    // MARK: Commands

    /// The words with which the runtime under test is called.
    func words(_ words: [String]) -> [String] { [scenario.runtimeHost.binary, "--root", Self.root] + words }

    /// Runs the runtime to its end. What it starts may live on: its output goes to a file.
    ///
    /// - Returns: with all that has been written meanwhile, by the container too.
    func runtime(_ words: String..., within limit: Duration = .seconds(30)) async throws -> CommandResult {
        try await run(self.words(words), within: limit)
    }

    func run(_ words: [String], within limit: Duration = .seconds(30)) async throws -> CommandResult {
        let before = output.utf8.count
        let status = try await start(words).end(within: limit)
        return CommandResult(status: status, output: String(decoding: output.utf8.dropFirst(before), as: UTF8.self))
    }

    func start(_ words: [String]) throws -> SpawnedProcess { try host.start(words, log: "\(id).out") }

    func succeed(_ words: String...) async throws {
        let result = try await run(self.words(words))
        guard result.status == 0 else { throw Trouble("\(words.joined(separator: " ")): \(result)") }
    }

    /// What the runtime and the container have written.
    var output: String { host.log("\(id).out") }

    func create() async throws { try await succeed("create", "--bundle", path, "--pid-file", path + "/pid", id) }
    func begin() async throws { try await succeed("start", id) }
    func delete() async throws { try await succeed("delete", "--force", id) }

    /// As the runtime's `state` tells it; nil if it knows no such container.
    func status() async throws -> String? {
        let result = try await host.run(words(["state", id]))
        guard result.status == 0 else { return nil }
        return try JSONValue(parsing: Array(result.output.utf8))["status"]?.stringValue
    }

    /// The process that the engine would take for the container's.
    func process() -> pid_t { pid_t(host.contents(of: path + "/pid") ?? "") ?? 0 }

    /// Takes away the bundle; the container must be deleted.
    func remove() { try? FileManager.default.removeItem(atPath: host.path(path)) }
}

extension JSONValue {
    /// Sets a member somewhere inside; nil removes it.
    mutating func set(_ value: JSONValue?, at path: String...) { set(value, at: path[...]) }

    private mutating func set(_ value: JSONValue?, at path: ArraySlice<String>) {
        guard case .object(var object) = self, let key = path.first else { return }
        if path.count == 1 {
            object[key] = value
        } else {
            object[key]?.set(value, at: path.dropFirst())
        }
        self = .object(object)
    }
}
