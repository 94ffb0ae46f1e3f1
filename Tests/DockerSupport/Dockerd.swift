// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
public import Glibc
import Synchronization
public import TestSupport
import Testing

/// dockerd on a ``PrivateHost``, with a containerd, data and cgroups of its own.
public final class Dockerd: Sendable {
    public struct Settings: Sendable {
        /// Containers go on while dockerd is away.
        public var liveRestore: Bool
        /// Containers get addresses, and their ports can be published. Without it they have no network but their own loopback.
        public var hasNetwork: Bool
        /// What else dockerd is started with.
        public var words: [String]

        public init(liveRestore: Bool = false, hasNetwork: Bool = false, words: [String] = []) {
            (self.liveRestore, self.hasNetwork, self.words) = (liveRestore, hasNetwork, words)
        }
    }

    public let host: PrivateHost
    private let settings: Settings
    private let process = Mutex<SpawnedProcess?>(nil)

    public static let dataRoot = PrivateHost.folder + "/docker"
    public static let pluginFolder = "/run/docker/plugins"
    private static let image = "/image.tar"

    public init(on host: PrivateHost, _ settings: Settings) { (self.host, self.settings) = (host, settings) }

    /// Where it listens, by a name that is the same inside and outside of the host.
    public var socket: String { host.scratch + "/docker.sock" }

    /// - Parameter waits: false returns while dockerd is still starting; ``isUp()`` waits later.
    public func start(waits: Bool = true) async throws {
        var words = [
            "dockerd", "--data-root", Self.dataRoot, "--exec-root", PrivateHost.folder + "/exec", "--host", "unix://\(socket)",
            "--pidfile", PrivateHost.folder + "/dockerd.pid", "--exec-opt", "native.cgroupdriver=cgroupfs",
            "--cgroup-parent", "/\(host.name)", "--shutdown-timeout", "5", "--debug",
        ]
        if !settings.hasNetwork { words += ["--iptables=false", "--bridge=none"] }
        if settings.liveRestore { words.append("--live-restore") }
        let started = try host.start(words + settings.words, log: "dockerd.log")
        process.withLock { $0 = started }
        if waits { try await isUp() }
    }

    public func isUp() async throws {
        try await eventually("dockerd answers, see \(host.scratch)/dockerd.log", within: .seconds(60)) {
            if process.withLock({ $0?.hasEnded ?? true }) { throw Trouble("dockerd has ended: \(log.suffix(2000))") }
            guard UnixSocket.accepts(socket) else { return false }
            return try await run(["version"]).status == 0
        }
    }

    /// Ends it as systemd does; containers end with it, unless it restores them.
    public func stop() async throws {
        let status = try await signal(SIGTERM)
        #expect(status == 0, "dockerd ends in order")
    }

    /// Its containerd and its containers live on.
    public func kill() async throws { _ = try await signal(SIGKILL) }

    /// Waits for the end of one that was killed otherwise.
    public func hasBeenKilled() async throws {
        guard let ending = process.withLock({ $0.take() }) else { throw Trouble("dockerd does not run") }
        _ = try await ending.end(within: .seconds(30))
    }

    /// Its number outside of the host.
    public func processID() async throws -> pid_t {
        guard let running = process.withLock({ $0 }) else { throw Trouble("dockerd does not run") }
        return try await running.child(running: "dockerd")
    }

    private func signal(_ signal: Int32) async throws -> Int32 {
        guard let ending = process.withLock({ $0.take() }) else { throw Trouble("dockerd does not run") }
        Glibc.kill(try await ending.child(running: "dockerd"), signal)
        return try await ending.end(within: .seconds(30))
    }

    public var log: String { host.log("dockerd.log") }

    /// Makes the image that containers run.
    ///
    /// - Parameter names: what it is called.
    public func importImage(_ names: String..., changes: [String] = []) async throws {
        let file = host.scratch + Self.image
        if access(file, F_OK) != 0 { try await Image.write(to: file) }
        let words = ["import"] + changes.flatMap { ["--change", $0] } + [file, names[0]]
        for words in [words] + names.dropFirst().map({ ["tag", names[0], $0] }) {
            let result = try await run(words)
            guard result.status == 0 else { throw Trouble("docker \(words.joined(separator: " ")): \(result)") }
        }
    }

    /// The client of the engine's own version, wherever else one may lie.
    public func run(_ words: [String], limit: Double = 60) async throws -> CommandResult {
        try await command(client + words, environment: ["DOCKER_CONFIG": host.scratch], limit: limit)
    }

    /// The words with which ``run(_:limit:)`` begins.
    public var client: [String] { ["/usr/bin/docker", "--host", "unix://\(socket)"] }
}
