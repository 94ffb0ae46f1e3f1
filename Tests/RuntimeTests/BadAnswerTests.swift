// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("A plugin answers badly, late or never")
    struct BadAnswers {
        private static func moving(to source: String) -> TestPlugin.Reply {
            .attachments(["Attach": true, "Changes": ["EffectiveSource": .string(source)]])
        }

        static let cases: [ReplyCase] = [
            ReplyCase(testDescription: "garbage in the place of HTTP", reply: .bytes("SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n")),
            ReplyCase(testDescription: "nothing", reply: .bytes("")),
            ReplyCase(testDescription: "half of the header", reply: .bytes("HTTP/1.1 200 OK\r\nContent-Le")),
            ReplyCase(
                testDescription: "half of the body",
                reply: .bytes("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{\"Success\": true, \"Att")),
            ReplyCase(testDescription: "a negative length", reply: .bytes("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}")),
            ReplyCase(
                testDescription: "a length beyond all bounds",
                reply: .bytes("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}")),
            ReplyCase(testDescription: "no JSON", reply: .bytes("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nyes ok")),
            ReplyCase(testDescription: "a list", reply: .answer([["Attach": true]])),
            ReplyCase(testDescription: "attachments that are no list", reply: .answer(["Success": true, "Attachments": "all"])),
            ReplyCase(testDescription: "an attachment that is no object", reply: .attachments(true)),
            ReplyCase(testDescription: "Attach that is no boolean", reply: .attachments(["Attach": "yes"])),
            ReplyCase(testDescription: "no Success", reply: .answer(["Attachments": [["Attach": true]]])),
            ReplyCase(
                testDescription: "an unknown emergency action",
                reply: .attachments(["Attach": true, "EmergencyDetach": [["Explode": "now"]]])),
            ReplyCase(testDescription: "a relative source", reply: moving(to: "etc/passwd"), message: "etc/passwd"),
            ReplyCase(testDescription: "a relative source with dots", reply: moving(to: "../etc"), message: "../etc"),
            ReplyCase(testDescription: "a source below a file", reply: moving(to: "/etc/hosts/place"), message: "/etc/hosts/place"),
            ReplyCase(testDescription: "a source with a zero byte", reply: moving(to: "/etc\0/passwd")),
        ]

        @Test("The container does not start, the error names the plugin, and all is undone", arguments: cases)
        func refused(_ bad: ReplyCase) async throws {
            // Whether the plugin itself is to be told of the end cannot be known from a bad answer, so it may be told.
            try await Scenario.run("first", "second", isBalanced: false) { scenario in
                scenario["second"].when(.attach, bad.reply)
                let result = try await scenario.run(["--name", "box"] + scenario.binds("a"), script: "echo started")
                #expect(result.status == 125, "\(result)")
                #expect(result.output.contains("plugin:second") && result.output.contains(bad.message), "\(result)")
                #expect(!result.output.contains("started"))
                let source = try scenario.folder("a")
                #expect(
                    scenario.log.containerLines.filter { $0 != "second Detach" } == [
                        "first Attach \(source)", "second Attach \(source)", "first Detach",
                    ])
                #expect(scenario.log.calls(.detach, of: "second").count <= 1)

                scenario["second"].when(.attach, .attachments(["Attach": true]))
                #expect(try await scenario.docker("start", "--attach", "box") == "started", "the bundle is as it was")
            }
        }

        @Test("A megabyte of garbage, and of blanks before an answer", arguments: ["x", " "])
        func megabyte(_ filling: String) async throws {
            try await Scenario.run("first", "second", isBalanced: false) { scenario in
                let body = String(repeating: filling, count: 1 << 20) + #"{"Success": true, "Attachments": [{"Attach": true}]}"#
                scenario["second"].when(.attach, .bytes("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"))
                let result = try await scenario.run(scenario.binds("a"), script: "echo started")
                if filling == "x" { #expect(result.status == 125, "\(result)") }
                #expect(result.status == 0 || result.output.contains("plugin:second"), "\(result)")
                #expect(scenario.log.calls(.detach, of: "first").count == 1)
            }
        }

        @Test("Attachments beyond the mounts are ignored, mounts beyond the attachments are not attached")
        func otherCounts() async throws {
            try await Scenario.run("first", "second") { scenario in
                let (other, far) = (try scenario.folder("other"), try scenario.folder("far"))
                scenario["first"].when(
                    .attach,
                    .attachments(["Attach": true], ["Attach": true], ["Attach": true, "Changes": ["EffectiveSource": .string(far)]]))
                scenario["second"].when(.attach, .attachments(["Attach": true, "Changes": ["EffectiveSource": .string(other)]]))
                let result = try await scenario.run(scenario.binds("a", "b"), script: "cat /?/who")
                let asked = scenario.log.calls(.attach, of: "second")[0].mounts
                let expected = asked[0]["Destination"] == "/a" ? "other\nb\n" : "a\nother\n"
                #expect(result.status == 0 && result.output == expected, "\(result)")
            }
        }

        @Test("A symbolic link that is turned round after the answer does not lead the container elsewhere", arguments: [1, 2])
        func switchedLink(_ count: Int) async throws {
            try await Scenario.run("first", "second") { scenario in
                let (good, evil) = (try scenario.folder("good"), try scenario.folder("evil"))
                let link = RuntimeHost.dataFolder + "/link"
                let path = scenario.host.path(link)
                symlink(good, path)
                scenario["first"].when(.attach, Self.moving(to: link))
                scenario["second"].when(.attach) { call in
                    if count == 2 {
                        unlink(path)
                        symlink(evil, path)
                    }
                    return .attachments(["Attach": true])
                }
                // Without a second plugin, it is turned just before the runtime below mounts it.
                let below = RuntimeHost.dataFolder + "/below"
                try scenario.host.write(
                    """
                    #!/bin/sh
                    case " $* " in *" create "*) ln -sfn \(evil) \(link) ;; esac
                    exec runc "$@"

                    """, to: below)
                chmod(scenario.host.path(below), 0o755)
                try scenario.setChain(count == 1 ? ["first"] : ["first", "second"], ["runtime-path": .string(below)])
                let result = try await scenario.run(scenario.binds("a"), script: "cat /a/who")
                #expect(result.status == 0 && result.output == "good\n", "\(result)")
                #expect(scenario.log.calls(.detach).count == count)
            }
        }

        @Test("A plugin that never answers is given up at the deadline, which can be set")
        func hangs() async throws {
            try await Scenario.run("first", "second", settings: ["plugin-timeout": 1]) { scenario in
                let hold = scenario["second"].hold(.attach)
                let clock = ContinuousClock()
                let began = clock.now
                let result = try await scenario.run(scenario.binds("a"), script: "echo started")
                #expect(clock.now - began < .seconds(20))
                #expect(result.status == 125 && result.output.contains("second"), "\(result)")
                #expect(scenario.log.calls(.detach).map(\.plugin).last == "first")
                hold.release()
            }
        }

        @Test("An answer that drips does not get more time")
        func drips() async throws {
            try await Scenario.run("first", settings: ["plugin-timeout": 1], isBalanced: false) { scenario in
                scenario["first"].when(.attach, .drip("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", every: 0.1))
                let clock = ContinuousClock()
                let began = clock.now
                let result = try await scenario.run(scenario.binds("a"), script: "echo started")
                #expect(clock.now - began < .seconds(20))
                #expect(result.status == 125 && result.output.contains("first"), "\(result)")
            }
        }

        @Test("A slow plugin holds up its own container only")
        func slow() async throws {
            try await Scenario.run("slow", "quick") { scenario in
                try await scenario.serve("slow", patterns: [["Destination": [["Exactly": "/a"]]]])
                let hold = scenario["slow"].hold(.attach)
                async let held = scenario.run(["--name", "held"] + scenario.binds("a"), script: "cat /a/who")
                try await hold.isReached()
                let result = try await scenario.run(scenario.binds("b"), script: "cat /b/who")
                #expect(result.status == 0 && result.output == "b\n", "\(result)")
                let plain = try await scenario.run([], script: "echo plain")
                #expect(plain.output == "plain\n")
                #expect(hold.count == 1)
                hold.release()
                let last = try await held
                #expect(last.status == 0 && last.output == "a\n", "\(last)")
            }
        }
    }
}
