// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import SystemPackage
import TestSupport

/// mountpoint-runc above a fake runtime, with all that it finds and keeps in one scratch folder: neither root nor an engine is needed.
///
/// | in the folder | |
/// |---|---|
/// | `settings.json`, `daemon.json` | what is in `/etc/docker` on a host |
/// | `plugins/NAME.sock` | plugins, served by the test: ``FakePlugin`` |
/// | `run/`, `lib/` | what is `/run/mountpoint-runc` and `/var/lib/mountpoint-runc` on a host |
/// | `bin/runc` | ``FakeRuntime`` |
/// | `bundles/ID/config.json` | ``makeBundle(_:mounts:)`` |
final class ScratchRuntime: Sendable {
    let folder: String
    let below: FakeRuntime
    let log = FakePluginLog()

    private static let program = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/scratch-runtime"

    private init(in folder: String) throws {
        self.folder = folder
        for name in ["plugins", "run", "bin", "bundles", "data"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        below = try FakeRuntime(in: folder)
    }

    /// Serves these plugins, makes them the chain, and ends whatever has been started in the folder when the body is done.
    static func with(
        _ chain: String..., body: (ScratchRuntime, [String: FakePlugin]) async throws -> Void
    ) async throws {
        try await withScratchFolder { folder in
            let runtime = try ScratchRuntime(in: folder.string)
            try runtime.write(settings: ["mount-point-plugins": .array(chain.map { .string($0) }), "plugin-timeout": 5])
            var plugins: [String: FakePlugin] = [:]
            for name in chain { plugins[name] = try runtime.serve(name) }
            let failure: (any Error)?
            do {
                try await body(runtime, plugins)
                failure = nil
            } catch {
                failure = error
            }
            for plugin in plugins.values { plugin.end() }
            try await runtime.endAll()
            if let failure { throw failure }
        }
    }

    func write(settings: JSONValue) throws {
        try "\(settings)\n".write(toFile: "\(folder)/settings.json", atomically: true, encoding: .utf8)
    }

    func serve(_ name: String) throws -> FakePlugin { try FakePlugin(name, at: "\(folder)/plugins/\(name).sock", log: log) }

    // MARK: Bundles

    /// Writes a bundle whose container has a mount of each of these folders, at the very path that the folder has here: the fake container
    /// has the host's files.
    @discardableResult
    func makeBundle(_ id: String, mounts: [String] = ["a"]) throws -> String {
        let bundle = "\(folder)/bundles/\(id)"
        try FileManager.default.createDirectory(atPath: bundle + "/rootfs", withIntermediateDirectories: true)
        let given = try mounts.map { name in
            let source = try makeFolder(name)
            return JSONValue.object([
                "destination": .string(source), "type": "bind", "source": .string(source), "options": ["rbind", "rw"],
            ])
        }
        let configuration: JSONValue = [
            "ociVersion": "1.0.2", "process": ["args": ["sh"], "cwd": "/"], "root": ["path": "rootfs"], "mounts": .array(given),
            "linux": ["namespaces": [["type": "pid"]]],
        ]
        try "\(configuration)\n".write(toFile: bundle + "/config.json", atomically: true, encoding: .utf8)
        return bundle
    }

    /// A folder that can be mounted.
    func makeFolder(_ name: String) throws -> String {
        let path = "\(folder)/data/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    // MARK: Commands

    /// Mounting sources is for root, if only of a user namespace of its own. user_namespaces(7)
    private static let asRoot = geteuid() == 0 ? [] : ["unshare", "--user", "--map-root-user", "--mount"]

    private var environment: [String: String] {
        ["SCRATCH_RUNTIME_FOLDER": folder, "PATH": "\(folder)/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    }

    /// Runs a command of mountpoint-runc to its end. What it starts may live on: its output goes to a file.
    func run(_ words: String..., within limit: Duration = .seconds(20)) async throws -> CommandResult {
        try await run(words, within: limit)
    }

    /// - Parameter wrapping: words before the program's own, such as `env` and its arguments.
    func run(_ words: [String], wrapping: [String] = [], within limit: Duration = .seconds(20)) async throws -> CommandResult {
        let log = "\(folder)/output-\(UUID().uuidString.prefix(8))"
        let process = try SpawnedProcess(Self.asRoot + wrapping + [Self.program] + words, environment: environment, log: log)
        let status = try await process.end(within: limit)
        return CommandResult(status: status, output: (try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
    }

    /// Starts a command of mountpoint-runc.
    func start(_ words: String...) throws -> SpawnedProcess {
        try SpawnedProcess(Self.asRoot + [Self.program] + words, environment: environment, log: "\(folder)/output")
    }

    /// Makes and starts a container with a mount of each of these folders.
    ///
    /// - Returns: the process that an engine takes for the container's.
    @discardableResult
    func startContainer(_ id: String, mounts: [String] = ["a"]) async throws -> pid_t {
        let bundle = try makeBundle(id, mounts: mounts)
        let created = try await run("create", "--bundle", bundle, "--pid-file", bundle + "/pid", id)
        guard created.status == 0 else { throw Trouble("create: \(created)") }
        let started = try await run("start", id)
        guard started.status == 0 else { throw Trouble("start: \(started)") }
        return try supervisor(of: id)
    }

    /// The process that an engine takes for the container's.
    func supervisor(of id: String) throws -> pid_t {
        let text = try String(contentsOfFile: "\(folder)/bundles/\(id)/pid", encoding: .utf8)
        guard let process = pid_t(text) else { throw Trouble("no process in the pid file of \(id)") }
        return process
    }

    // MARK: What is kept

    /// Below `run` or `lib`, sorted, but for what plugins have told of themselves.
    func files(below name: String) -> [String] {
        let all = FileManager.default.enumerator(atPath: "\(folder)/\(name)")?.compactMap { $0 as? String } ?? []
        return all.filter { path in
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: "\(folder)/\(name)/\(path)", isDirectory: &isFolder)
            return !isFolder.boolValue && !path.hasPrefix("plugins/")
        }.sorted()
    }

    /// What lies in the folder of a container; nothing once that is forgotten.
    func record(of id: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/run/containers/default/\(id)")) ?? []).sorted()
    }

    /// Processes of this folder: they have it in their environment.
    var processes: [pid_t] {
        let mark = Array("SCRATCH_RUNTIME_FOLDER=\(folder)".utf8)
        return ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }.filter { id in
            guard let bytes = FileManager.default.contents(atPath: "/proc/\(id)/environ") else { return false }
            return bytes.split(separator: 0).contains { $0.elementsEqual(mark) }
        }
    }

    /// What a power cut and the boot after it leave: nothing of `run`, no process, and records of another boot.
    func reboot() async throws {
        try await endAll()
        try FileManager.default.removeItem(atPath: "\(folder)/run")
        try FileManager.default.createDirectory(atPath: "\(folder)/run", withIntermediateDirectories: true)
        try? FileManager.default.removeItem(atPath: "\(folder)/below")
        try FileManager.default.createDirectory(atPath: "\(folder)/below", withIntermediateDirectories: true)
        let boot = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8).trimmingCharacters(
            in: .whitespacesAndNewlines)
        for name in files(below: "lib") {
            let file = "\(folder)/lib/\(name)"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            try text.replacing(boot, with: "0f3bd9b1-5bd4-4b5d-8f0b-3a1c9d1f2e4a").write(toFile: file, atomically: true, encoding: .utf8)
        }
    }

    private func endAll() async throws {
        try await eventually("all processes of \(folder) end") {
            let found = processes
            for process in found { kill(process, SIGKILL) }
            return found.isEmpty
        }
    }
}
