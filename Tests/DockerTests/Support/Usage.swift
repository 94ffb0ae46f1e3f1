// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import TestSupport
import Testing

/// All tests with a real Docker Engine, one after another: they measure nothing, but a busy machine makes every limit shorter.
@Suite(.serialized, .needs(.docker), .timeLimit(.minutes(3)))
enum DockerTests {}

/// What tests do again and again with an engine.
extension DockerEngine {
    /// Where containers of ``shell(_:in:)`` and ``startContainer(_:_:)`` have their volume.
    static let place = "/data"

    /// Options of an export, as words for `docker volume create`.
    static func options(_ options: [String] = []) -> [String] {
        (["server=storage.example", "path=/export"] + options).flatMap { ["--opt", $0] }
    }

    /// A volume; without options it is the whole export.
    func createVolume(_ name: String, driver: String = "nfsd", _ options: String...) async throws {
        let answer = try await docker(["volume", "create", "--driver", driver] + Self.options(options) + [name])
        #expect(answer == name, "nothing but the name, so no warning")
    }

    /// Runs a shell in a container of its own with the volume (and its mode, as in `name:ro`), and takes the container away.
    @discardableResult
    func shell(_ script: String, in volume: String) async throws -> String {
        try await docker(
            "run", "--rm", "--volume", volume.replacing(/^[^:]+/) { "\($0.output):\(Self.place)" }, "busybox", "sh", "-c", script)
    }

    /// Starts a container that waits until it is killed.
    func startContainer(_ name: String, _ volumes: String..., options: [String] = []) async throws {
        let mounts = volumes.enumerated().flatMap { index, volume in
            ["--volume", "\(volume):\(Self.place)\(index == 0 ? "" : String(index))"]
        }
        try await docker(
            ["run", "--detach", "--name", name, "--stop-signal", "KILL"] + options + mounts + ["busybox", "sleep", "1000000"])
    }

    func removeContainer(_ name: String) async throws { try await docker("rm", "--force", name) }

    /// A line for each volume, `DRIVER NAME`, and any warning that Docker gives, sorted.
    func listedVolumes() async throws -> [String] {
        try await docker("volume", "ls", "--format", "{{.Driver}} {{.Name}}").split(separator: "\n").map(String.init).sorted()
    }

    /// What the daemon shows under Status.
    func status(of volume: String) async throws -> JSONValue {
        guard let status = try await inspect("volume", volume)["Status"] else { throw Trouble("volume \(volume) has no Status") }
        return status
    }

    /// Where volumes are mounted now, as the last part of the path.
    func mountedVolumes() throws -> [String] {
        try host.mountPoints(below: Self.volumesFolder).map { String($0.dropFirst(Self.volumesFolder.count + 1)) }.sorted()
    }

    /// The volumes that somebody holds, as the daemon's files tell.
    func referencedVolumes() -> [String] { host.names(in: Self.runtimeFolder + "/references").map { String($0.dropLast(".json".count)) } }

    /// That a volume's last user has left no trace, at the latest in a moment: Docker reports a container's end before it unmounts.
    func expectNoMounts(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try? await eventually("nothing is mounted", within: .seconds(10)) {
            try mountedVolumes().isEmpty && host.names(in: Self.volumesFolder).isEmpty && referencedVolumes().isEmpty
        }
        #expect(try mountedVolumes() == [], "mounts", sourceLocation: sourceLocation)
        #expect(host.names(in: Self.volumesFolder) == [], "mount points", sourceLocation: sourceLocation)
        #expect(referencedVolumes() == [], "references", sourceLocation: sourceLocation)
        #expect(host.names(in: Self.runtimeFolder + "/staging") == [], "staging", sourceLocation: sourceLocation)
    }

    /// Removes volumes, after which nothing may be left of them.
    func removeVolumes(_ names: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await docker(["volume", "rm"] + names)
        #expect(try await listedVolumes() == [], sourceLocation: sourceLocation)
        #expect(host.names(in: Self.stateFolder + "/volumes") == [], "definitions", sourceLocation: sourceLocation)
        try await expectNoMounts(sourceLocation: sourceLocation)
    }
}

/// Calls of the plugin protocol as another engine would make them. curl(1) speaks its HTTP.
extension DockerEngine {
    func callDriver(_ method: String, _ body: JSONValue, driver: String = "nfsd") async throws -> JSONValue {
        let result = try await command(
            [
                "curl", "--silent", "--show-error", "--max-time", "30", "--unix-socket", driverSocket(driver), "--data", "@-",
                "http://plugin/\(method)",
            ],
            input: body.description)
        guard result.status == 0 else { throw Trouble("\(method): \(result)") }
        return try JSONValue(parsing: Array(result.output.utf8))
    }
}
