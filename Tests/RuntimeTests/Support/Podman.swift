// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import TestSupport

/// podman with a folder of its own, with the runtime under test.
struct Podman {
    let host: PrivateHost
    let runtime: String
    /// Of the runtime, without the hyphens.
    var runtimeFlags: [String] = []

    private static let folder = PrivateHost.folder + "/podman"

    /// Runs the body with an image `localhost/busybox`, and removes its containers and volumes.
    static func run(in scenario: Scenario, runtimeFlags: [String] = [], _ body: (Podman) async throws -> Void) async throws {
        let podman = Podman(host: scenario.host, runtime: scenario.runtimeHost.binary, runtimeFlags: runtimeFlags)
        if try await podman.run(["image", "exists", "localhost/busybox"]).status != 0 {
            try await podman.succeed("import", scenario.host.scratch + "/image.tar", "localhost/busybox")
        }
        let failure: (any Error)?
        do {
            try await body(podman)
            failure = nil
        } catch { failure = error }
        _ = try await podman.run(["rm", "--force", "--all", "--time", "0"])
        _ = try await podman.run(["volume", "rm", "--all", "--force"])
        // What podman keeps mounted for itself.
        _ = try await scenario.host.run(["sh", "-c", "umount \(folder)/root/overlay; true"])
        if let failure { throw failure }
    }

    /// Its output goes to a file: conmon keeps every pipe open that it inherits.
    func run(_ words: [String]) async throws -> CommandResult {
        let options =
            [
                "--root", Self.folder + "/root", "--runroot", Self.folder + "/run", "--tmpdir", Self.folder + "/tmp", "--cgroup-manager",
                "cgroupfs", "--events-backend", "file", "--storage-driver", "overlay", "--runtime", runtime,
            ] + runtimeFlags.flatMap { ["--runtime-flag", $0] }
        let log = "podman-\(UUID().uuidString).log"
        let status = try await host.start(["podman"] + options + words, log: log).end(within: .seconds(40))
        defer { unlink(host.scratch + "/" + log) }
        return CommandResult(status: status, output: host.log(log))
    }

    @discardableResult
    func succeed(_ words: String...) async throws -> String {
        let result = try await run(words)
        guard result.status == 0 else { throw Trouble("podman \(words.joined(separator: " ")): \(result)") }
        return result.output.trimmingCharacters(in: .newlines)
    }
}
