// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("A work tree that is copy-on-write is a work tree")
    struct Workspaces {
        @Test(
            "What programs did in it is after a commit, at the end or later, as if they had run in the source",
            arguments: Workspace.all, ["commit", "keep"])
        func isCommitted(_ workspace: Workspace, _ end: String) async throws { try await run(workspace, end) }

        @Test(
            .enabled(if: Workspace.make.isThere, "needs make and cc, which Scripts/test-needs does not bring"),
            arguments: ["commit", "keep"])
        func make(_ end: String) async throws { try await run(.make, end) }

        @Test(.enabled(if: Workspace.postgres.isThere, "needs PostgreSQL, which Scripts/test-needs does not bring: it is large"))
        func postgres() async throws { try await run(.postgres, "commit") }

        @Test(.enabled(if: Workspace.npm.isThere, "needs npm, which Scripts/test-needs does not bring: it is large"))
        func npm() async throws { try await run(.npm, "keep") }

        private func run(_ workspace: Workspace, _ end: String) async throws {
            try await Scenario.run { scenario in
                let host = scenario.host
                let places = (work: "\(RuntimeHost.dataFolder)/work", plain: "\(RuntimeHost.dataFolder)/plain")
                let prepare = "mkdir -p \(places.work); cd \(places.work); \(workspace.prepare)"
                try await Self.succeed(host.run(["bash", "-ec", prepare]))
                try await Self.succeed(host.run(["cp", "-a", "--sparse=always", places.work, places.plain]))
                let before = try await Self.listing(places.work, of: workspace, on: host)
                try await ServedPlugin.run("copy-on-write", settings: "{}", in: scenario) {
                    let words = Self.words(workspace, places.work) + ["--name", "web", "--label", "mountpoint.copy-on-write=/work:\(end)"]
                    try await Self.succeed(scenario.run(words, script: "set -e; \(workspace.script)"))
                    if end == "keep" {
                        #expect(try await Self.listing(places.work, of: workspace, on: host) == before, "the source is as it was")
                        try await Self.succeed(ServedPlugin.command(["copy-on-write", "commit", "web"], on: host))
                    }
                    #expect(host.names(in: ServedPlugin.state + "/copy-on-write/changes") == [])
                }
                if workspace.isRepeatable {
                    let plain = Self.words(workspace, places.plain)
                    try await Self.succeed(scenario.run(plain, script: "set -e; \(workspace.script)", runtime: "runc"))
                    let (work, copy) = (
                        try await Self.listing(places.work, of: workspace, on: host),
                        try await Self.listing(places.plain, of: workspace, on: host)
                    )
                    #expect(work.difference(from: copy).map { "\($0)" } == [])
                }
                let words = Self.words(workspace, places.work)
                try await Self.succeed(scenario.run(words, script: "set -e; \(workspace.check)", runtime: "runc"))
            }
        }

        private static func words(_ workspace: Workspace, _ place: String) -> [String] {
            ["--user", workspace.user, "--volume", "\(place):/work"] + Workspace.hostPrograms
        }

        private static func listing(_ place: String, of workspace: Workspace, on host: PrivateHost) async throws -> [String] {
            let result = try await host.run(["/usr/bin/python3", "-c", Workspace.listing, place] + workspace.leavesOut)
            try succeed(result)
            return result.output.split(separator: "\n").map(String.init)
        }

        private static func succeed(_ result: CommandResult) throws {
            guard result.status == 0 else { throw Trouble("\(result)") }
        }
    }
}
