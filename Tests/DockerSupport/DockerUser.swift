// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
public import JSON
public import TestSupport

/// What has a dockerd and gives it commands.
public protocol DockerUser: Sendable {
    var dockerd: Dockerd { get }
}

extension DockerUser {
    public var host: PrivateHost { dockerd.host }

    /// Runs `docker WORDS`.
    ///
    /// - Returns: what it prints, warnings included, without the last line's end.
    /// - Throws: if it fails.
    @discardableResult
    public func docker(_ words: String..., limit: Double = 60) async throws -> String { try await docker(words, limit: limit) }

    @discardableResult
    public func docker(_ words: [String], limit: Double = 60) async throws -> String {
        let result = try await runDocker(words, limit: limit)
        guard result.status == 0 else { throw Trouble("docker \(words.joined(separator: " ")): \(result)") }
        return result.output.trimmingCharacters(in: .newlines)
    }

    /// Runs `docker WORDS`, which must fail.
    ///
    /// - Returns: what it prints.
    public func failingDocker(_ words: String..., limit: Double = 60) async throws -> String {
        try await failingDocker(words, limit: limit)
    }

    public func failingDocker(_ words: [String], limit: Double = 60) async throws -> String {
        let result = try await runDocker(words, limit: limit)
        guard result.status != 0, result.status != 124 else {
            throw Trouble("docker \(words.joined(separator: " ")) was to fail: \(result)")
        }
        return result.output.trimmingCharacters(in: .newlines)
    }

    public func runDocker(_ words: [String], limit: Double = 60) async throws -> CommandResult {
        try await dockerd.run(words, limit: limit)
    }

    /// `docker KIND inspect NAME`, its one element.
    public func inspect(_ kind: String, _ name: String) async throws -> JSONValue {
        let text = try await docker(kind, "inspect", name)
        guard let element = try JSONValue(parsing: Array(text.utf8)).arrayValue?.first else { throw Trouble("not a list of one: \(text)") }
        return element
    }

    // MARK: dockerd's own end

    public func startEngine(waits: Bool = true) async throws { try await dockerd.start(waits: waits) }
    public func engineIsUp() async throws { try await dockerd.isUp() }
    public func stopEngine() async throws { try await dockerd.stop() }
    public func killEngine() async throws { try await dockerd.kill() }

    public func restartEngine() async throws {
        try await stopEngine()
        try await startEngine()
    }

    public var engineLog: String { dockerd.log }
}
