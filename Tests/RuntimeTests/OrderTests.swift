// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("Who is asked, when and about what")
    struct Order {
        @Test("Plugins are asked in order, and in reverse order at the end; all have told their properties before")
        func order() async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                let result = try await scenario.run(scenario.binds("a"), script: "cat /a/who")
                #expect(result.status == 0 && result.output == "a\n", "\(result)")
                let source = try scenario.folder("a")
                #expect(
                    scenario.log.lines == [
                        "first Activate", "first Properties", "second Activate", "second Properties", "third Activate", "third Properties",
                        "first Attach \(source)", "second Attach \(source)", "third Attach \(source)",
                        "third Detach", "second Detach", "first Detach",
                    ])
                let ids = Set(scenario.log.calls.compactMap(\.id))
                #expect(ids.count == 1 && ids.first?.wholeMatch(of: /[0-9a-f]{64}/) != nil, "the container's id: \(ids)")
                #expect(scenario.log.calls.allSatisfy { $0.headers["accept"]?.contains("application/vnd.docker.plugins.v1") == true })
            }
        }

        @Test("A plugin is asked about the mounts that its patterns match, about all of them in one call, and else not at all")
        func patterns() async throws {
            try await Scenario.run("first", "second", "third", "fourth") { scenario in
                try await scenario.serve("first", patterns: [["Destination": [["Exactly": "/a"]]], ["Destination": [["Exactly": "/c"]]]])
                try await scenario.serve("second", patterns: [])
                try await scenario.serve("third", patterns: [["Destination": [["Exactly": "/nowhere"]]]])
                try await scenario.serve("fourth", patterns: [["Destination": [["PathPrefix": "/a", "Not": true]], "ReadOnly": false]])
                let result = try await scenario.run(scenario.binds("a", "b", "c"), script: "cat /?/who")
                #expect(result.status == 0 && result.output == "a\nb\nc\n", "\(result)")
                let (a, b, c) = (try scenario.folder("a"), try scenario.folder("b"), try scenario.folder("c"))
                #expect(
                    scenario.log.containerLines == [
                        "first Attach \(a) \(c)", "fourth Attach \(b) \(c)", "fourth Detach", "first Detach",
                    ])
            }
        }

        @Test("A plugin that attaches none of the mounts is not told of their end")
        func attachesNothing() async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                scenario["first"].when(.attach, .attachments(["Attach": false], ["Attach": false]))
                scenario["second"].attach(["/b": ["Attach": true]])
                scenario["third"].when(.attach, .answer(["Success": true]))
                let result = try await scenario.run(scenario.binds("a", "b"), script: "cat /?/who")
                #expect(result.status == 0 && result.output == "a\nb\n", "\(result)")
                #expect(
                    scenario.log.containerLines.map { $0.prefix { $0 != "/" } } == [
                        "first Attach ", "second Attach ", "third Attach ", "second Detach",
                    ])
            }
        }

        @Test("A changed source is what the container has, and what later plugins see, with the name of who changed it")
        func changedSource() async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                let (original, one, two) = (try scenario.folder("a"), try scenario.folder("one"), try scenario.folder("two"))
                scenario["first"].attach(["/a": ["Attach": true, "Changes": ["EffectiveSource": .string(one)]], "/b": ["Attach": true]])
                scenario["second"].attach(["/a": ["Attach": true], "/b": ["Attach": true, "Changes": ["EffectiveSource": .string(two)]]])
                let result = try await scenario.run(scenario.binds("a", "b"), script: "cat /?/who; echo written > /a/new")
                #expect(result.status == 0 && result.output == "one\ntwo\n", "\(result)")
                #expect(scenario.host.contents(of: "\(one)/new") == "written\n")
                #expect(scenario.host.contents(of: "\(original)/new") == nil)
                let b = try scenario.folder("b")
                #expect(
                    scenario.log.containerLines == [
                        "first Attach \(original) \(b)", "second Attach \(one) \(b)", "third Attach \(one) \(two)",
                        "third Detach", "second Detach", "first Detach",
                    ])
                let seen = scenario.log.calls(.attach, of: "third")[0].mounts.sorted {
                    $0["Destination"]!.stringValue! < $1["Destination"]!.stringValue!
                }
                #expect(seen.map { $0["Source"] } == [.string(original), .string(b)], "the sources of the beginning stay known")
                let names = seen.map { $0["AppliedMiddleware"]?.arrayValue?.map { $0["Name"]! } ?? [] }
                #expect(names == [["plugin:first", "plugin:second"], ["plugin:first", "plugin:second"]])
                let changes = seen[0]["AppliedMiddleware"]?.arrayValue?.map { $0["Changes"]?["EffectiveSource"] ?? "" }
                #expect(changes == [.string(one), ""])
            }
        }

        @Test("What a plugin changes without taking part does not count")
        func changesWithoutAttaching() async throws {
            try await Scenario.run("first", "second") { scenario in
                let other = try scenario.folder("other")
                scenario["first"].when(.attach, .attachments(["Attach": false, "Changes": ["EffectiveSource": .string(other)]]))
                let result = try await scenario.run(scenario.binds("a"), script: "cat /a/who")
                #expect(result.status == 0 && result.output == "a\n", "\(result)")
                #expect(
                    scenario.log.containerLines == [
                        "first Attach \(try scenario.folder("a"))", "second Attach \(try scenario.folder("a"))", "second Detach",
                    ])
                #expect(scenario.log.calls(.attach, of: "second")[0].mounts[0]["AppliedMiddleware"]?.arrayValue ?? [] == [])
            }
        }

        @Test("A plugin can ask for the mounts that another one takes part in, or has moved")
        func appliedMiddleware() async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                let moved = try scenario.folder("moved")
                scenario["first"].attach(["/a": ["Attach": true], "/b": ["Attach": true, "Changes": ["EffectiveSource": .string(moved)]]])
                try await scenario.serve(
                    "second", patterns: [["AppliedMiddleware": ["Exists": [["Name": [["Exactly": "plugin:first"]]]]]]])
                try await scenario.serve(
                    "third", patterns: [["AppliedMiddleware": ["Exists": [["Changes": ["EffectiveSource": [["Suffix": "/moved"]]]]]]]])
                let result = try await scenario.run(scenario.binds("a", "b", "c"), script: "cat /?/who")
                #expect(result.status == 0 && result.output == "a\nmoved\nc\n", "\(result)")
                let (a, b, c) = (try scenario.folder("a"), try scenario.folder("b"), try scenario.folder("c"))
                #expect(
                    scenario.log.containerLines == [
                        "first Attach \(a) \(b) \(c)", "second Attach \(a) \(moved)", "third Attach \(moved)",
                        "third Detach", "second Detach", "first Detach",
                    ])
            }
        }

        /// Everything that plugins are asked of whom nothing is known yet, for a container with one mount.
        private static func calls(of plugins: String..., about source: String) -> [String] {
            plugins.flatMap { ["\($0) Activate", "\($0) Properties"] } + plugins.map { "\($0) Attach \(source)" }
                + plugins.reversed().map { "\($0) Detach" }
        }

        @Test("The chain can be given by flags; a plugin that is named twice counts once, where it is named first")
        func flags() async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                try scenario.setChain(["third"])
                let result = try await scenario.run(scenario.binds("a"), script: "cat /a/who", runtime: "mountpoint-flags")
                #expect(result.status == 0 && result.output == "a\n", "\(result)")
                #expect(scenario.log.lines == Self.calls(of: "first", "second", about: try scenario.folder("a")))
            }
        }

        @Test("Also in the settings a plugin that is named twice counts once")
        func namedTwice() async throws {
            try await Scenario.run("first", "second") { scenario in
                try scenario.setChain(["second", "first", "second"])
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 0, "\(result)")
                #expect(scenario.log.lines == Self.calls(of: "second", "first", about: try scenario.folder("a")))
            }
        }

        @Test("Each start of a container is attached and detached; exec and the like ask nobody")
        func restarts() async throws {
            try await Scenario.run("first") { scenario in
                let id = try await scenario.start("box", scenario.binds("a"))
                #expect(try await scenario.docker("exec", "box", "cat", "/a/who") == "a")
                try await scenario.docker("top", "box")
                try await scenario.docker("pause", "box")
                try await scenario.docker("unpause", "box")
                try await scenario.docker("restart", "box")
                try await scenario.docker("stop", "box")
                try await scenario.docker("start", "box")
                try await scenario.docker("kill", "box")
                let attach = "first Attach \(try scenario.folder("a"))"
                try await scenario.docker("rm", "box")
                #expect(scenario.log.containerLines == [attach, "first Detach", attach, "first Detach", attach, "first Detach"])
                #expect(Set(scenario.log.calls.compactMap(\.id)) == [id])
            }
        }

        @Test("A change of the chain holds for containers that start from then on; others are undone by the plugins they have")
        func chainChanges() async throws {
            try await Scenario.run("first", "second") { scenario in
                try scenario.setChain(["first"])
                let old = try await scenario.start("old", scenario.binds("a"))
                try scenario.setChain(["second"])
                let new = try await scenario.start("new", scenario.binds("b"))
                try await scenario.docker("stop", "old")
                try scenario.setChain([])
                try await scenario.docker("stop", "new")
                let lines = scenario.log.calls.filter { $0.id != nil }.map { "\($0.plugin) \($0.method.shortName) \($0.id!)" }
                #expect(lines == ["first Attach \(old)", "second Attach \(new)", "first Detach \(old)", "second Detach \(new)"])
            }
        }

        @Test("Without plugins, without settings or without mounts nobody is asked and nothing is kept")
        func nobody() async throws {
            try await Scenario.run("first") { scenario in
                try await scenario.start("bare", [])
                #expect(scenario.log.lines == [])
                try scenario.setChain([])
                try await scenario.start("unasked", scenario.binds("a"))
                _ = try await scenario.host.run(["rm", RuntimeHost.settingsFile])
                try await scenario.start("unset", scenario.binds("a"))
                #expect(scenario.host.processes().filter { $0.name.hasPrefix("mountpoint-runc") } == [], "nobody supervises them")
                for name in ["bare", "unasked", "unset"] {
                    #expect(try await scenario.docker("exec", name, "echo", name) == name)
                    #expect(try await scenario.stop(name) == 0)
                }
                #expect(scenario.log.lines == [])
            }
        }

        @Test("Containers that start at the same time each have their own calls")
        func atTheSameTime() async throws {
            try await Scenario.run("first", "second") { scenario in
                try await withThrowingTaskGroup { group in
                    for number in 1...6 {
                        group.addTask {
                            let result = try await scenario.run(scenario.binds("v\(number)"), script: "cat /v*/who")
                            #expect(result.status == 0 && result.output == "v\(number)\n", "\(result)")
                        }
                    }
                    try await group.waitForAll()
                }
                let byContainer = Dictionary(grouping: scenario.log.calls.filter { $0.id != nil }, by: { $0.id! })
                #expect(byContainer.count == 6)
                for calls in byContainer.values {
                    #expect(
                        calls.map { "\($0.plugin) \($0.method.shortName)" } == [
                            "first Attach", "second Attach", "second Detach", "first Detach",
                        ])
                }
                #expect(scenario.log.calls(.properties).count == 2, "each plugin tells its properties once")
            }
        }
    }
}
