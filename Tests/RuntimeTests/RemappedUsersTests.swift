// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import TestSupport
import Testing

extension OwnEngineTests {
    @Suite("The plugins that ship where containers have other users than the host")
    struct RemappedUsers {
        /// A folder of user 1000 with two files, the second of the containers' root.
        private static func makeData(_ scenario: Scenario) async throws -> String {
            let data = try scenario.folder("data")
            let script = "cd \(data); echo x > theirs; chown -R 1000:1000 .; chown 300000:300000 theirs; chmod 777 ."
            _ = try await scenario.host.run(["sh", "-ec", script])
            return data
        }

        private static func owners(_ folder: String, _ scenario: Scenario) async throws -> String {
            try await scenario.host.run(["sh", "-c", "cd \(folder) && stat -c '%n %u:%g' . * | paste -sd ';'"]).output
                .trimmingCharacters(in: .newlines)
        }

        private static let inside = "cd /m; stat -c '%n %u:%g' . who; echo new > made; stat -c '%n %u:%g' made"

        @Test("ownership: the container has its own numbers, and the host the source's owner")
        func ownership() async throws {
            try await RuntimeHost.withRemappedUsers { host in
                try await Scenario.run(on: host, []) { scenario in
                    try await ServedPlugin.run("ownership", settings: "{}", in: scenario) {
                        try await Self.owned(scenario)
                    }
                }
            }
        }

        private static func owned(_ scenario: Scenario) async throws {
            let uses: [(words: [String], options: String, user: String)] = [
                ([], "match-user", "0:0"), (["--user", "33:44"], "match-user", "33:44"), ([], "1000=7,others=nobody", "7:7"),
                (["--userns", "host"], "match-user", "0:0"), (["--userns", "host", "--user", "33:44"], "match-user", "33:44"),
                ([], "mode=transfer", "0:0"), (["--user", "33:44"], "mode=transfer", "33:44"),
                (["--userns", "host", "--user", "33:44"], "mode=transfer", "33:44"),
            ]
            for (words, options, user) in uses {
                let data = try await makeData(scenario)
                let all = words + ["--rm", "-v", "\(data):/m", "--label", "mountpoint.ownership=/m:\(options)"]
                let script = options.contains("1000=7") ? "stat -c '%n %u:%g' /m/who; touch /m/made 2>/dev/null || echo refused" : inside
                let result = try await scenario.run(all, script: script)
                if options.contains("1000=7") {
                    // The container's root is not the owner's, and may not write a file for whom there is no number.
                    #expect(result.output == "/m/who 7:7\nrefused\n", "\(words) \(options): \(result)")
                } else {
                    let expected = ". \(user)\nwho \(user)\nmade \(user)\n"
                    #expect(result.status == 0 && result.output == expected, "\(words) \(options): \(result)")
                    let after = ". 1000:1000;made 1000:1000;theirs 300000:300000;who 1000:1000"
                    #expect(try await owners(data, scenario) == after, "\(words) \(options)")
                }
                _ = try await scenario.host.run(["rm", "-rf", data])
            }
            let data = try await makeData(scenario)
            let words = ["--rm", "-v", "\(data):/m", "--label", "mountpoint.ownership=/m:mode=give-back"]
            let result = try await scenario.run(words, script: inside)
            #expect(result.output == ". 65534:65534\nwho 65534:65534\nmade 0:0\n", "\(result)")
            #expect(try await owners(data, scenario) == ". 1000:1000;made 1000:1000;theirs 300000:300000;who 1000:1000")
            #expect(scenario.host.names(in: ServedPlugin.state + "/ownership") == [])
        }

        @Test("copy-on-write: the owners of a commit are those that a bind mount would have, also over mapped owners")
        func copyOnWrite() async throws {
            try await RuntimeHost.withRemappedUsers { host in
                try await Scenario.run(on: host, []) { scenario in
                    try await ServedPlugin.run("ownership", settings: "{}", in: scenario) {
                        try await ServedPlugin.run("copy-on-write", settings: "{}", before: ["ownership"], in: scenario) {
                            try await Self.changed(scenario)
                        }
                    }
                }
            }
        }

        private static func changed(_ scenario: Scenario) async throws {
            let script = "cd /m; rm theirs; echo new > made; chown 5:6 made; mkdir folder; echo x > folder/x"
            for (end, runtime) in [("discard", "mountpoint"), ("commit", "mountpoint"), ("", "runc")] {
                let data = try await makeData(scenario)
                let label = end.isEmpty ? [] : ["--label", "mountpoint.copy-on-write=/m:\(end)"]
                let result = try await scenario.run(["--rm", "-v", "\(data):/m"] + label, script: script, runtime: runtime)
                #expect(result.status == 0, "\(end): \(result)")
                let expected =
                    end == "discard"
                    ? ". 1000:1000;theirs 300000:300000;who 1000:1000"
                    : ". 1000:1000;folder 300000:300000;made 300005:300006;who 1000:1000"
                #expect(try await owners(data, scenario) == expected, "\(end)")
                _ = try await scenario.host.run(["rm", "-rf", data])
            }
            let data = try await makeData(scenario)
            let labels = ["--label", "mountpoint.copy-on-write=/m:commit", "--label", "mountpoint.ownership=/m"]
            let result = try await scenario.run(
                ["--rm", "-v", "\(data):/m"] + labels, script: inside + "; echo changed > who; mkdir folder")
            #expect(result.status == 0 && result.output == ". 0:0\nwho 0:0\nmade 0:0\n", "\(result)")
            #expect(
                try await owners(data, scenario) == ". 1000:1000;folder 1000:1000;made 1000:1000;theirs 300000:300000;who 1000:1000")
            #expect(scenario.host.contents(of: data + "/who") == "changed\n")
            #expect(scenario.host.names(in: ServedPlugin.state + "/copy-on-write/changes") == [])
        }

        @Test("noswap gives its memory to the container's numbers, translate finds containers, policy guards Docker's own folder")
        func others() async throws {
            try await RuntimeHost.withRemappedUsers { host in
                try await Scenario.run(on: host, []) { scenario in
                    try await ServedPlugin.run("noswap", settings: "{}", in: scenario) { try await Self.hasMemory(scenario) }
                    let translation =
                        #"{"paths": [{"prefix": "/test-inner", "to": "container:runner"}, {"prefix": "/test-v", "to": "volume:vol"}]}"#
                    try await ServedPlugin.run("translate", settings: translation, in: scenario) { try await Self.isTranslated(scenario) }
                    let policy = #"{"rules": [{"action": "deny", "preset": "system-folders"}]}"#
                    try await ServedPlugin.run("policy", settings: policy, in: scenario) {
                        let own = Dockerd.dataRoot + "/300000.300000/containers"
                        let denied = try await scenario.run(["-v", "\(own):/m"], script: "true")
                        #expect(denied.status == 125 && denied.output.contains("would show \(own)"), "\(denied)")
                    }
                }
            }
        }

        private static func hasMemory(_ scenario: Scenario) async throws {
            let words = ["-v", "vol:/m", "--tmpfs", "/t:mode=700", "--label", "mountpoint.noswap=/m:uid=33,gid=44,mode=700;/t"]
            try await scenario.start("web", words)
            let seen = try await scenario.docker("exec", "web", "stat", "-c", "%u:%g %a", "/m", "/t")
            #expect(seen == "33:44 700\n0:0 700")
            // It shares the memory of the volume.
            let second = try await scenario.run(words, script: "grep -c noswap /proc/mounts; touch /t/x")
            #expect(second.status == 0 && second.output == "2\n", "\(second)")
            #expect(try await scenario.stop("web") == 0)
        }

        private static func isTranslated(_ scenario: Scenario) async throws {
            try await scenario.start("runner", ["-v", "\(try scenario.folder("data")):/test-inner", "-v", "vol:/vol"], runtime: "runc")
            try await scenario.docker("exec", "runner", "sh", "-c", "echo kept > /vol/file")
            let result = try await scenario.run(["-v", "/test-inner:/m", "-v", "/test-v/file:/f"], script: "cat /m/who /f")
            #expect(result.status == 0 && result.output == "data\nkept\n", "\(result)")
            #expect(scenario.host.names(in: "/test-inner") == [] && scenario.host.names(in: "/test-v") == [])
            let left = try await scenario.host.run(["sh", "-c", "ls -d /test-inner /test-v 2>/dev/null; true"])
            #expect(left.output == "", "what dockerd has made is gone: \(left)")
        }
    }
}
