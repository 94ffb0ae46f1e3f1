// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("The plugins that ship, under podman with runc and with crun")
    struct PodmanPlugins {
        /// What chooses it is an annotation.
        struct Use: Sendable, CustomStringConvertible {
            var plugin: String
            var settings = "{}"
            var annotation: String
            /// DATA is the folder of the data, of user 1000.
            var mount = ["--volume", "DATA:/m"]
            var script: String
            var output: String
            /// What is in the folder at the end, with its owner.
            var files = "who 1000 data"

            var description: String { plugin }

            static let all = [
                Use(
                    plugin: "policy",
                    settings: #"{"rules": [{"action": "read-only", "source": ["\#(RuntimeHost.dataFolder)"], "label": {"team": "x*"}}]}"#,
                    annotation: "team=xy", script: "touch /m/new 2>/dev/null || cat /m/who", output: "data\n"),
                Use(
                    plugin: "translate", settings: #"{"paths": [{"prefix": "/meant", "to": "\#(RuntimeHost.dataFolder)/data"}]}"#,
                    annotation: "mountpoint.translate=/m:/meant/inner", script: "cat /m/file; echo new > /m/new",
                    output: "inner\n"),
                Use(
                    plugin: "ownership", annotation: "mountpoint.ownership=/m", script: "stat -c %u /m/who; echo new > /m/new",
                    output: "0\n", files: "new 1000 new;who 1000 data"),
                Use(
                    plugin: "noswap", annotation: "mountpoint.noswap=/m", mount: ["--tmpfs", "/m:size=1m"],
                    script: "grep -o '^noswap /m tmpfs' /proc/mounts", output: "noswap /m tmpfs\n"),
                Use(
                    plugin: "copy-on-write", annotation: "mountpoint.copy-on-write=/m",
                    script: "rm /m/who; echo new > /m/new; ls /m", output: "inner\nnew\n"),
                Use(
                    plugin: "copy-on-write", annotation: "mountpoint.copy-on-write=/m:commit",
                    script: "rm /m/who; echo new > /m/new; ls /m", output: "inner\nnew\n", files: "new 0 new"),
            ]
        }

        @Test("An annotation chooses it as a label does", arguments: Use.all, ["runc", "crun"])
        func isChosen(_ use: Use, _ runtime: String) async throws {
            try await Scenario.run { scenario in
                let data = try scenario.folder("data")
                let prepare = "cd \(data); mkdir inner; echo inner > inner/file; chown -R 1000:1000 ."
                _ = try await scenario.host.run(["sh", "-ec", prepare])
                try await ServedPlugin.run(use.plugin, settings: use.settings, in: scenario) {
                    let path = runtime == "crun" ? "/usr/bin/crun" : "/usr/sbin/runc"
                    try await Podman.run(in: scenario, runtimeFlags: ["runtime-path=\(path)"]) { podman in
                        let words = (use.mount + ["--annotation", use.annotation]).map { $0.replacing("DATA", with: data) }
                        let run = ["run", "--rm", "--network", "none"]
                        let result = try await podman.run(run + words + ["localhost/busybox", "sh", "-c", use.script])
                        #expect(result.status == 0 && result.output == use.output, "\(result)")
                    }
                    #expect(!scenario.host.names(in: ServedPlugin.state + "/\(use.plugin)").contains { $0.hasSuffix(".json") })
                    #expect(try scenario.host.mountPoints(below: ServedPlugin.state) == [])
                }
                let look = "cd \(data); for f in *; do [ -d $f ] || echo \"$f $(stat -c %u $f) $(cat $f)\"; done | paste -sd ';'"
                #expect(try await scenario.host.run(["sh", "-c", look]).output == use.files + "\n")
            }
        }

        @Test("policy denies by an annotation, and lets others pass", arguments: ["runc", "crun"])
        func isDenied(_ runtime: String) async throws {
            try await Scenario.run { scenario in
                let data = try scenario.folder("data")
                let settings = #"{"rules": [{"action": "deny", "source": ["\#(data)"], "label": {"team": "x"}, "reason": "not for x"}]}"#
                try await ServedPlugin.run("policy", settings: settings, in: scenario) {
                    let path = runtime == "crun" ? "/usr/bin/crun" : "/usr/sbin/runc"
                    try await Podman.run(in: scenario, runtimeFlags: ["runtime-path=\(path)"]) { podman in
                        for team in ["x", "y"] {
                            let words = ["run", "--rm", "--network", "none", "--volume", "\(data):/m", "--annotation", "team=\(team)"]
                            let result = try await podman.run(words + ["localhost/busybox", "cat", "/m/who"])
                            if team == "x" {
                                #expect(result.status != 0 && result.output.contains("not for x (rule 1)"), "\(result)")
                            } else {
                                #expect(result.status == 0 && result.output == "data\n", "\(result)")
                            }
                        }
                    }
                }
            }
        }
    }
}
