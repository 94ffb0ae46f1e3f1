// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("How plugins are found and loaded")
    struct Properties {
        @Test("Properties are asked once, and again once the plugin was restarted")
        func askedOnce() async throws {
            try await Scenario.run("first", "second") { scenario in
                for _ in 0..<3 {
                    let result = try await scenario.run(scenario.binds("a"), script: "true")
                    #expect(result.status == 0, "\(result)")
                }
                #expect(scenario.log.calls(.properties).map(\.plugin) == ["first", "second"])
                #expect(scenario.log.calls(.activate).map(\.plugin) == ["first", "second"])

                try await scenario.serve("first", patterns: [])
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 0, "\(result)")
                #expect(scenario.log.calls(.properties).map(\.plugin) == ["first", "second", "first"])
                #expect(scenario.log.calls(.attach).last?.plugin == "second", "what it says now counts")
            }
        }

        @Test("A plugin over TCP, by a .spec file", arguments: ["tcp", "http"])
        func network(scheme: String) async throws {
            try await Scenario.run("first", "second") { scenario in
                try await scenario.serve("first", at: .port(scheme))
                try await scenario.start("box", scenario.binds("a"), status: 3)
                #expect(try await scenario.stop("box") == 3)
                let source = try scenario.folder("a")
                #expect(
                    scenario.log.containerLines == ["first Attach \(source)", "second Attach \(source)", "second Detach", "first Detach"])
            }
        }

        @Test("A plugin elsewhere, by a .json file and by a .spec file", arguments: ["json", "spec"])
        func specification(kind: String) async throws {
            try await Scenario.run("first") { scenario in
                let (hidden, file) = ("/run/hidden.sock", "/etc/docker/plugins/first.\(kind)")
                let text = kind == "json" ? #"{"Name": "first", "Addr": "unix://\#(hidden)"}"# : "unix://\(hidden)"
                _ = try await scenario.host.run(
                    [
                        "sh", "-ec",
                        "mv /run/docker/plugins/first.sock \(hidden); mkdir -p /etc/docker/plugins; printf '%s' '\(text)' > \(file)",
                    ])
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 0, "\(result)")
                #expect(scenario.log.containerLines == ["first Attach \(try scenario.folder("a"))", "first Detach"])
                _ = try await scenario.host.run(["rm", "-r", hidden, "/etc/docker/plugins"])
            }
        }

        @Test("A plugin that asks for TLS is refused with the reason")
        func encryption() async throws {
            try await Scenario.run { scenario in
                try scenario.setChain(["sealed"])
                let text = #"{"Name":"sealed","Addr":"https://127.0.0.1:4","TLSConfig":{"InsecureSkipVerify":true}}"#
                _ = try await scenario.host.run(
                    ["sh", "-ec", "mkdir -p /etc/docker/plugins; printf '%s' '\(text)' > /etc/docker/plugins/sealed.json"])
                let result = try await scenario.run(scenario.binds("a"), script: "echo started")
                #expect(result.status == 125 && result.output.contains("sealed") && result.output.contains("TLS"), "\(result)")
                _ = try await scenario.host.run(["rm", "-r", "/etc/docker/plugins"])
            }
        }

        @Test("A plugin that is not there stops the start, with its name, and nobody else is asked to attach")
        func missing() async throws {
            try await Scenario.run("first") { scenario in
                try scenario.setChain(["first", "absent"])
                let result = try await scenario.run(scenario.binds("a"), script: "echo started")
                #expect(result.status == 125 && result.output.contains("absent"), "\(result)")
                #expect(result.output.contains("/run/docker/plugins"), "where it was looked for: \(result)")
                #expect(!result.output.contains("started"))
                #expect(scenario.log.containerLines == [])
            }
        }

        @Test("A socket at which nobody listens is as good as none")
        func stale() async throws {
            try await Scenario.run("first") { scenario in
                _ = try await scenario.host.run(["cp", "-a", "/run/docker/plugins/first.sock", "/run/docker/plugins/gone.sock"])
                try await scenario.serve("gone-later")
                _ = try await scenario.host.run(["mv", "/run/docker/plugins/gone-later.sock", "/run/docker/plugins/stale.sock"])
                scenario["gone-later"].end()
                try scenario.setChain(["first", "stale"])
                let result = try await scenario.run(scenario.binds("a"), script: "echo started")
                #expect(result.status == 125 && result.output.contains("stale"), "\(result)")
                #expect(scenario.log.containerLines == [])
                _ = try await scenario.host.run(["rm", "-f", "/run/docker/plugins/gone.sock", "/run/docker/plugins/stale.sock"])
            }
        }

        struct BadLoad: Sendable, CustomTestStringConvertible {
            var testDescription: String
            var method: PluginMethod
            var reply: TestPlugin.Reply
            var message = ""
        }

        static let badLoads: [BadLoad] = [
            BadLoad(testDescription: "properties fail", method: .properties, reply: .failure("not today"), message: "not today"),
            BadLoad(
                testDescription: "properties fail with status 500", method: .properties, reply: .refusal("not today"), message: "not today"),
            BadLoad(testDescription: "properties are garbage", method: .properties, reply: .bytes("garbage\r\n\r\n")),
            BadLoad(testDescription: "properties are not an object", method: .properties, reply: .answer([1, 2])),
            BadLoad(
                testDescription: "a pattern of the wrong type", method: .properties,
                reply: .answer(["Success": true, "Patterns": [["Source": "/a"]]])),
            BadLoad(
                testDescription: "another kind of plugin", method: .activate, reply: .answer(["Implements": ["VolumeDriver"]]),
                message: "mountpoint"),
            BadLoad(
                testDescription: "activation fails", method: .activate, reply: .error(status: 500, type: "text/plain", body: "asleep"),
                message: "asleep"),
            BadLoad(testDescription: "activation is closed", method: .activate, reply: .bytes("")),
        ]

        @Test("A plugin that cannot be loaded stops the start; it is tried anew with the next one", arguments: badLoads)
        func badLoad(_ load: BadLoad) async throws {
            try await Scenario.run("first", "second") { scenario in
                let before = scenario["second"]
                before.when(load.method, load.reply)
                let result = try await scenario.run(["--name", "box"] + scenario.binds("a"), script: "echo started")
                #expect(result.status == 125 && result.output.contains("second") && result.output.contains(load.message), "\(result)")
                #expect(!result.output.contains("started"))
                #expect(scenario.log.containerLines == [])

                before.when(.activate, .answer(["Implements": ["VolumeDriver", "mountpoint"]]))
                before.when(.properties, .answer(["Success": true, "Patterns": [[:]]]))
                #expect(try await scenario.docker("start", "--attach", "box") == "started")
            }
        }

        @Test("A hundred patterns, sent in pieces as Go's HTTP server does")
        func chunked() async throws {
            try await Scenario.run("first") { scenario in
                let others = (0..<100).map { JSONValue.object(["Destination": [["Exactly": .string("/place\($0)")]]]) }
                scenario["first"].when(
                    .properties, .chunked(["Success": true, "Patterns": .array(others + [["Destination": [["Exactly": "/a"]]]])]))
                scenario["first"].when(.attach, .chunked(["Success": true, "Attachments": [["Attach": true]]]))
                let result = try await scenario.run(scenario.binds("a", "b"), script: "true")
                #expect(result.status == 0, "\(result)")
                #expect(scenario.log.containerLines == ["first Attach \(try scenario.folder("a"))", "first Detach"])
            }
        }

        @Test(
            "Settings that cannot be read stop the start and say what is wrong",
            arguments: [
                #"{"mount-point-plugins": ["#, #"{"mount-point-plugins": "first"}"#, #"{"mount-point-plugin": ["first"]}"#,
                #"{"plugin-timeout": "long"}"#, #"{"plugin-timeout": -1}"#, #"{"mount-point-plugins": ["../first"]}"#,
            ])
        func badSettings(_ text: String) async throws {
            try await Scenario.run("first") { scenario in
                try scenario.host.write(text, to: RuntimeHost.settingsFile)
                let result = try await scenario.run(scenario.binds("a"), script: "echo started")
                #expect(
                    result.status == 125 && result.output.contains(text.contains("..") ? "../first" : RuntimeHost.settingsFile), "\(result)"
                )
                #expect(scenario.log.lines == [])
            }
        }
    }
}
