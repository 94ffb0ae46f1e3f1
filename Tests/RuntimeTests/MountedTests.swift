// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import Synchronization
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("Once the mounts are in place")
    struct Mounted {
        @Test("A plugin that asks for it is told of its mounts, and can reach them, before the container's process runs")
        func told() async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                let moved = try scenario.folder("moved")
                try await scenario.serve("first", mounted: true)
                scenario["first"].attach(["/a": ["Attach": true], "/b": ["Attach": true]])
                try await scenario.serve("third", mounted: true)
                scenario["third"].attach(["/b": ["Attach": true, "Changes": ["EffectiveSource": .string(moved)]]])
                let host = scenario.host
                let seen = Mutex<[String]>([])
                scenario["third"].when(.mounted) { call in
                    let process = call.request["Pid"]?.intValue ?? 0
                    let text = host.contents(of: "/proc/\(process)/root/b/who") ?? "nothing"
                    let name = (try? readProcess(host.path("/proc/\(process)/comm"))) ?? "nothing"
                    seen.withLock { $0 += [text, name] }
                    return .success
                }
                let hold = scenario["first"].hold(.mounted)
                async let run = scenario.run(scenario.binds("a", "b"), script: "touch /a/started; cat /?/who")
                try await hold.isReached()
                #expect(host.contents(of: try scenario.folder("a") + "/started") == nil, "nothing of the container runs yet")
                hold.release()
                let result = try await run
                #expect(result.status == 0 && result.output == "a\nmoved\n", "\(result)")
                #expect(seen.withLock { $0.first } == "moved\n", "what /proc/PID/root leads to")
                #expect(seen.withLock { $0.last }?.hasPrefix("runc") == true, "the container's first process before it is its own")
                let (a, b) = (try scenario.folder("a"), try scenario.folder("b"))
                #expect(
                    scenario.log.containerLines == [
                        "first Attach \(a) \(b)", "second Attach \(a) \(b)", "third Attach \(a) \(b)",
                        "first Mounted \(a) \(moved)", "third Mounted \(moved)", "third Detach", "second Detach", "first Detach",
                    ])
                let request = scenario.log.calls(.mounted, of: "third")[0].request
                #expect(request["Mounts"] == [["Destination": "/b", "EffectiveSource": .string(moved)]])
            }
        }

        static let failures: [ReplyCase] = [
            ReplyCase(testDescription: "Success false", reply: .failure("cannot mark"), message: "cannot mark"),
            ReplyCase(
                testDescription: "status 500", reply: .refusal("cannot mark"), message: "MountPointPlugin.MountPointMounted: cannot mark"),
        ]

        @Test("A failure there means that the container does not start, and all is undone", arguments: failures)
        func fails(_ failure: ReplyCase) async throws {
            try await Scenario.run("first", "second") { scenario in
                try await scenario.serve("first", mounted: true)
                scenario["first"].when(.mounted, failure.reply)
                let result = try await scenario.run(["--name", "box"] + scenario.binds("a"), script: "touch /a/started")
                #expect(result.status == 125, "\(result)")
                #expect(
                    result.output.contains("middleware plugin:first failed with error: \(failure.message): unknown."), "\(result.output)")
                let source = try scenario.folder("a")
                #expect(scenario.host.contents(of: source + "/started") == nil)
                #expect(
                    scenario.log.containerLines == [
                        "first Attach \(source)", "second Attach \(source)", "first Mounted \(source)", "second Detach", "first Detach",
                    ])
            }
        }

        @Test("A plugin that takes part in no mount is not told")
        func notTold() async throws {
            try await Scenario.run("first", "second") { scenario in
                try await scenario.serve("first", mounted: true)
                scenario["first"].when(.attach, .attachments(["Attach": false]))
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 0, "\(result)")
                #expect(scenario.log.calls(.mounted).isEmpty)
            }
        }

        @Test("It hangs there: after the deadline the container does not start")
        func hangs() async throws {
            try await Scenario.run("first", settings: ["plugin-timeout": 1]) { scenario in
                try await scenario.serve("first", mounted: true)
                let hold = scenario["first"].hold(.mounted)
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 125 && result.output.contains("plugin:first failed with error: "), "\(result)")
                #expect(scenario.log.containerLines.last == "first Detach")
                hold.release()
            }
        }
    }
}
