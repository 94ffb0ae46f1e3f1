// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("What Docker's other commands do to a container of the plugins that ship")
    struct DockerCommands {
        /// A plugin, and what a container of it and `docker cp` see of a folder whose file `who` says `data`.
        struct Life: Sendable, CustomStringConvertible {
            var description: String
            var plugin: String
            var settings = "{}"
            /// The source as `-v` has it.
            var written = RuntimeHost.dataFolder + "/data"
            var words: [String] = []
            /// What the container has in the file after it has tried to write `changed`.
            var inside = "changed"
            /// What `docker cp` finds then; nil if there is no such file.
            var copiedOut: String?
            /// Whether the container has what `docker cp` has put there; nil if nobody can tell.
            var seesCopied: Bool?
            /// What it has in the file after a restart; nil if there is none.
            var restarted: String?
            /// What the source has at the end.
            var source: String

            static let all = [
                Life(
                    description: "policy", plugin: "policy",
                    settings: #"{"rules": [{"action": "read-only", "source": ["\#(RuntimeHost.dataFolder)"]}]}"#,
                    inside: "data", copiedOut: "data", seesCopied: true, restarted: "data", source: "data"),
                Life(
                    description: "translate", plugin: "translate",
                    settings: #"{"paths": [{"prefix": "/no-such", "to": "\#(RuntimeHost.dataFolder)"}]}"#, written: "/no-such/data",
                    copiedOut: nil, seesCopied: false, restarted: "changed", source: "changed"),
                Life(
                    description: "ownership", plugin: "ownership", words: ["--user", "33:33", "--label", "mountpoint.ownership=/m"],
                    copiedOut: "changed", seesCopied: true, restarted: "changed", source: "changed"),
                Life(
                    description: "noswap", plugin: "noswap", words: ["--label", "mountpoint.noswap=/m"],
                    copiedOut: "data", seesCopied: false, restarted: nil, source: "data"),
                copyOnWrite("discard", restarted: "data", source: "data"),
                copyOnWrite("keep", restarted: "changed", source: "data"),
                copyOnWrite("commit", restarted: "changed", source: "changed"),
            ]

            private static func copyOnWrite(_ end: String, restarted: String, source: String) -> Life {
                Life(
                    description: "copy-on-write, \(end)", plugin: "copy-on-write",
                    words: ["--label", "mountpoint.copy-on-write=/m:\(end)"], copiedOut: "data", restarted: restarted, source: source)
            }
        }

        private static let write = "echo changed > /m/who; true"
        private static let read = "cat /m/who 2>/dev/null || echo nothing"

        private static func expectInside(_ expected: String?, after what: String, in scenario: Scenario) async throws {
            let seen = try await scenario.docker("exec", "web", "sh", "-c", read)
            #expect(seen == expected ?? "nothing", "after \(what)")
        }

        /// `docker cp` of a single file.
        private static func copyOut(in scenario: Scenario) async throws -> String? {
            let copy = scenario.host.scratch + "/copied-out"
            try? FileManager.default.removeItem(atPath: copy)
            let result = try await scenario.runDocker(["cp", "web:/m/who", copy])
            if result.status == 0 { return try String(contentsOfFile: copy, encoding: .utf8).trimmingCharacters(in: .newlines) }
            #expect(result.output.contains("No such container:path: web:/m/who"), "\(result)")
            return nil
        }

        @Test("exec, health, pause, cp, commit, restart, a restart by the engine, kill", arguments: Life.all)
        func allCommands(_ life: Life) async throws {
            try await Scenario.run { scenario in
                let data = try scenario.folder("data")
                _ = try await scenario.host.run(["chown", "-R", "1000:1000", data])
                try await ServedPlugin.run(life.plugin, settings: life.settings, in: scenario) {
                    let health = ["--health-cmd", Self.read, "--health-interval", "1s", "--restart", "on-failure:3"]
                    try await scenario.start("web", ["-v", "\(life.written):/m"] + life.words + health, status: 3)
                    try await scenario.docker("exec", "web", "sh", "-c", Self.write)
                    try await Self.expectInside(life.inside, after: "exec", in: scenario)
                    try await Self.isHealthy(life, scenario)
                    try await scenario.docker("pause", "web")
                    try await scenario.docker("unpause", "web")
                    try await Self.expectInside(life.inside, after: "pause", in: scenario)
                    try await Self.copies(life, scenario)
                    try await Self.commits(life, scenario)
                    try await Self.restarts(life, scenario)
                    try await Self.isKilled(life, scenario)
                    #expect(scenario.host.contents(of: data + "/who") == life.source + "\n")
                    #expect(scenario.host.contents(of: "\(life.written)/copied") == "copied", "copied past the plugin")
                }
                _ = try await scenario.host.run(["rm", "-rf", "/no-such"])
            }
        }

        private static func isHealthy(_ life: Life, _ scenario: Scenario) async throws {
            try await eventually("the check sees what the container does") {
                let health = try await scenario.inspect("container", "web")["State"]?["Health"]
                return health?["Status"] == "healthy" && health?["Log"]?.arrayValue?.last?["Output"]?.stringValue == life.inside + "\n"
            }
        }

        private static func copies(_ life: Life, _ scenario: Scenario) async throws {
            #expect(try await copyOut(in: scenario) == life.copiedOut, "docker cp reads the written source")
            let file = scenario.host.scratch + "/copied"
            try "copied".write(toFile: file, atomically: false, encoding: .utf8)
            try await scenario.docker("cp", file, "web:/m/copied")
            let copied = "\(life.written)/copied"
            #expect(scenario.host.contents(of: copied) == "copied", "docker cp writes to the written source")
            let owner = try await scenario.host.run(["stat", "--format", "%u:%g", copied])
            #expect(owner.output == "0:0\n", "what is copied belongs to root, whoever the container runs as")
            guard let seesCopied = life.seesCopied else { return }
            let seen = try await scenario.runDocker(["exec", "web", "cat", "/m/copied"])
            #expect((seen.output == "copied") == seesCopied, "\(seen)")
        }

        /// The image has nothing of a mount, and the container's labels.
        private static func commits(_ life: Life, _ scenario: Scenario) async throws {
            try await scenario.docker("commit", "web", "of-web")
            let words = ["run", "--rm", "--network", "none", "--entrypoint", ""]
            #expect(try await scenario.docker(words + ["--runtime", "runc", "of-web", "ls", "-A", "/m"]) == "")
            let again = try await scenario.runDocker(words + ["--runtime", "mountpoint", "-v", "vol:/other", "of-web", "ls", "-A", "/m"])
            if life.words.contains("--label") {
                #expect(again.status == 125 && again.output.contains("/m is no mount of this container; there are /other"), "\(again)")
                let taken = [
                    "--label", "mountpoint.\(life.plugin)=none", "--runtime", "mountpoint", "-v", "vol:/other", "of-web", "ls", "-A", "/m",
                ]
                #expect(try await scenario.docker(words + taken) == "", "it takes back the label of the image")
            } else {
                #expect(again.status == 0 && again.output == "", "\(again)")
            }
            try await scenario.docker("image", "rm", "of-web")
        }

        private static func restarts(_ life: Life, _ scenario: Scenario) async throws {
            try await scenario.docker("restart", "--time", "10", "web")
            try await expectInside(life.restarted, after: "docker restart", in: scenario)
            try await scenario.docker("exec", "web", "sh", "-c", write)
            // Its exit status is 3, and dockerd starts it again by itself.
            _ = try await scenario.runDocker(["exec", "--user", "0", "web", "kill", "-TERM", "1"])
            try await eventually("the engine has started it again") {
                let found = try await scenario.inspect("container", "web")
                return found["RestartCount"] == 1 && found["State"]?["Running"] == true && found["State"]?["Restarting"] == false
            }
            try await expectInside(life.restarted, after: "a restart by the engine", in: scenario)
            try await scenario.docker("exec", "web", "sh", "-c", write)
            try await expectInside(life.inside, after: "a write", in: scenario)
        }

        private static func isKilled(_ life: Life, _ scenario: Scenario) async throws {
            try await scenario.docker("kill", "web")
            let state = ServedPlugin.state + "/\(life.plugin)"
            try await eventually("the plugin has detached") {
                try scenario.host.mountPoints(below: ServedPlugin.state) == []
                    && !scenario.host.names(in: state).contains { $0.hasSuffix(".json") }
            }
            try await eventually("Docker knows the end") { try await scenario.exitCode("web") == 137 }
            #expect(try await scenario.inspect("container", "web")["State"]?["Running"] == false)
        }
    }
}
