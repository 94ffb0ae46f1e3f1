// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("The plugins that ship, killed while a container runs")
    struct ShippedPlugins {
        struct Kind: Sendable, CustomStringConvertible {
            var plugin: String
            var settings = "{}"
            /// Of `docker run`; DATA is the folder of the data.
            var words: [String]
            /// A script that must succeed in the container.
            var look: String
            /// What becomes of changes; empty for plugins that keep none.
            var end = ""
            /// The container's exit status, and what it is if the plugin stays away.
            var status = (usual: 3, away: 3)

            var description: String { end.isEmpty ? plugin : "\(plugin), \(end)" }

            static let all =
                [
                    Kind(
                        plugin: "policy", settings: #"{"rules": [{"action": "read-only", "source": ["\#(RuntimeHost.dataFolder)"]}]}"#,
                        words: ["-v", "DATA:/m"], look: "! touch /m/x"),
                    Kind(
                        plugin: "translate",
                        settings: #"{"paths": [{"prefix": "/no-such", "to": "\#(RuntimeHost.dataFolder)", "remove-created": true}]}"#,
                        words: ["-v", "/no-such/data:/m"], look: "grep data /m/who"),
                    Kind(
                        plugin: "ownership", words: ["-v", "DATA:/m", "--user", "33", "--label", "mountpoint.ownership=/m:match-user"],
                        look: "touch /m/x && rm /m/x"),
                    Kind(
                        plugin: "noswap", words: ["-v", "vol:/m", "--label", "mountpoint.noswap=/m"],
                        look: "grep '/m .*noswap' /proc/mounts"),
                    copyOnWrite("discard"), copyOnWrite("keep"), copyOnWrite("commit", status: (0, 129)),
                ]

            private static func copyOnWrite(_ end: String, status: (Int, Int) = (3, 3)) -> Kind {
                Kind(
                    plugin: "copy-on-write", words: ["-v", "DATA:/m", "--label", "mountpoint.copy-on-write=/m:\(end)"],
                    look: "echo changed > /m/who && touch /m/x && cat /m/who /m/x", end: end, status: status)
            }
        }

        /// A plugin that is away is waited for as long as its detach may take.
        private static let impatient: JSONObject = ["plugin-timeout": 1, "detach-timeout-limit": 1]

        private func with(_ kind: Kind, settings: JSONObject = [:], _ body: (Scenario) async throws -> Void) async throws {
            try await Scenario.run { scenario in
                let data = try scenario.folder("data")
                try await ServedPlugin.run(kind.plugin, settings: kind.settings, in: scenario) {
                    let words = kind.words.map { $0.replacing("DATA", with: data) }
                    try scenario.setChain([kind.plugin], settings)
                    try await scenario.start("web", words, status: kind.status.usual)
                    let seen = try await scenario.runDocker(["exec", "web", "sh", "-c", kind.look])
                    #expect(seen.status == 0, "\(seen)")
                    try await Self.kill(on: scenario.host)
                    let still = try await scenario.runDocker(["exec", "web", "sh", "-c", kind.look])
                    #expect(still.status == 0, "\(still)")
                    try await body(scenario)
                    #expect(try scenario.host.mountPoints(below: ServedPlugin.state) == [])
                }
                // What dockerd has made for the path that was translated.
                _ = try await scenario.host.run(["sh", "-c", "rmdir /no-such/data /no-such 2>/dev/null || true"])
            }
        }

        private static func kill(on host: PrivateHost) async throws {
            for process in host.processes() where process.name.hasPrefix("mountpoint-plug") { try await host.signal(SIGKILL, process.id) }
            try await eventually("the plugin has ended") { !host.processes().contains { $0.name.hasPrefix("mountpoint-plug") } }
        }

        /// - Parameters:
        ///   - isCommitted: whether the source has what the container made.
        ///   - isKept: whether the plugin has it.
        private static func expectData(of kind: Kind, isCommitted: Bool, isKept: Bool, on host: PrivateHost) async throws {
            let folder = "\(RuntimeHost.dataFolder)/data"
            #expect(host.names(in: folder) == (isCommitted ? ["who", "x"] : ["who"]))
            #expect(host.contents(of: folder + "/who") == (isCommitted ? "changed\n" : "data\n"))
            let state = ServedPlugin.state + "/\(kind.plugin)"
            if kind.end.isEmpty {
                #expect(host.names(in: state) == [])
                return
            }
            #expect(host.names(in: state) == ["changes"] && host.names(in: state + "/changes").count == (isKept ? 1 : 0))
            let diff = try await ServedPlugin.command([kind.plugin, "diff", "web"], on: host)
            #expect(isKept ? diff.output == "M who\nA x\n" : diff.output.contains("there are no changes web"), "\(diff)")
        }

        @Test("Started again, it detaches, the container's exit status is kept, and nothing is left", arguments: Kind.all)
        func comesBack(_ kind: Kind) async throws {
            try await with(kind) { scenario in
                let again = try await ServedPlugin.start(kind.plugin, on: scenario.host)
                #expect(try await scenario.stop("web") == kind.status.usual)
                try await Self.expectData(of: kind, isCommitted: kind.end == "commit", isKept: kind.end == "keep", on: scenario.host)
                try await ServedPlugin.end(again, on: scenario.host)
            }
        }

        @Test("If it stays away, the emergency actions leave no mount, and the source is as it was", arguments: Kind.all)
        func staysAway(_ kind: Kind) async throws {
            try await with(kind, settings: Self.impatient) { scenario in
                let host = scenario.host
                #expect(try await scenario.stop("web") == kind.status.away)
                #expect(try host.mountPoints(below: ServedPlugin.state) == [])
                // The next start of it forgets the container, and not what was promised to be kept.
                let again = try await ServedPlugin.start(kind.plugin, on: host)
                let isKept = kind.end == "keep" || kind.end == "commit"
                try await Self.expectData(of: kind, isCommitted: false, isKept: isKept, on: host)
                if isKept {
                    let commit = try await ServedPlugin.command([kind.plugin, "commit", "web"], on: host)
                    #expect(commit.status == 0, "\(commit)")
                    try await Self.expectData(of: kind, isCommitted: true, isKept: false, on: host)
                }
                try await ServedPlugin.end(again, on: host)
            }
        }

        @Test("Two containers that use a volume have the same memory; when the last has ended, it is gone")
        func sharedMemory() async throws {
            try await Scenario.run { scenario in
                try await ServedPlugin.run("noswap", settings: "{}", in: scenario) {
                    try await scenario.docker("volume", "create", "--label", "mountpoint.noswap=size=1m", "tokens")
                    for name in ["one", "two"] { try await scenario.start(name, ["-v", "tokens:/t"]) }
                    try await scenario.docker("exec", "one", "sh", "-c", "echo key > /t/key")
                    #expect(try await scenario.docker("exec", "two", "cat", "/t/key") == "key")
                    #expect(try await scenario.stop("one") == 0)
                    #expect(try await scenario.docker("exec", "two", "cat", "/t/key") == "key")
                    try await scenario.start("three", ["-v", "tokens:/t"])
                    #expect(try await scenario.stop("two") == 0)
                    #expect(try await scenario.docker("exec", "three", "cat", "/t/key") == "key")
                    #expect(try await scenario.stop("three") == 0)
                    let after = try await scenario.run(["--rm", "-v", "tokens:/t"], script: "ls -A /t")
                    #expect(after.status == 0 && after.output == "", "\(after)")
                    #expect(try scenario.host.mountPoints(below: ServedPlugin.state) == [])
                }
            }
        }
    }
}
