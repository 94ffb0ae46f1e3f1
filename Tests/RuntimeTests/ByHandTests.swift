// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("Called by hand, without an engine")
    struct ByHand {
        /// Gives the body a bundle, and sees that the runtime knows nothing of it afterwards.
        private func withBundle(
            _ id: String = "by-hand", plugins: [String] = ["first"], script: String? = nil, isBalanced: Bool = true,
            _ body: (HandBundle) async throws -> Void
        ) async throws {
            guard let host = RuntimeHost.current else { throw Trouble("this test belongs into a suite with a runtimeHost") }
            try await Scenario.run(on: host, plugins, isBalanced: isBalanced) { scenario in
                let bundle =
                    if let script {
                        try await HandBundle(id, in: scenario, script: script)
                    } else {
                        try await HandBundle(id, in: scenario)
                    }
                defer { bundle.remove() }
                let before = scenario.host.contents(of: bundle.configurationFile)
                do {
                    try await body(bundle)
                } catch {
                    _ = try? await bundle.runtime("delete", "--force", id)
                    throw error
                }
                #expect(scenario.host.contents(of: bundle.configurationFile) == before, "config.json is as it was")
                #expect(try await bundle.status() == nil, "deleted")
            }
        }

        private func calls(_ bundle: HandBundle) throws -> [String] {
            ["first Attach \(try bundle.scenario.folder("a"))", "first Detach"]
        }

        @Test("run stays until the end and has its status")
        func foreground() async throws {
            try await withBundle(script: "cat /a/who; exit 3") { bundle in
                let result = try await bundle.runtime("run", "--bundle", bundle.path, bundle.id)
                #expect(result.status == 3 && result.output == "a\n", "\(result)")
                #expect(try bundle.scenario.log.containerLines == calls(bundle))
            }
        }

        @Test("run of the same bundle again, with a changed source each time")
        func again() async throws {
            try await withBundle(script: "cat /a/who") { bundle in
                for name in ["one", "two", "three"] {
                    let moved = try bundle.scenario.folder(name)
                    bundle.scenario["first"].when(
                        .attach, .attachments(["Attach": true, "Changes": ["EffectiveSource": .string(moved)]]))
                    let result = try await bundle.runtime("run", "--bundle", bundle.path, bundle.id)
                    #expect(result.status == 0 && result.output == "\(name)\n", "\(result)")
                }
                let expected = try calls(bundle)
                #expect(bundle.scenario.log.containerLines == expected + expected + expected)
            }
        }

        @Test("Two containers of one bundle at the same time, with different sources")
        func twoOfOneBundle() async throws {
            try await withBundle { bundle in
                let scenario = bundle.scenario
                let (one, two) = (try scenario.folder("one"), try scenario.folder("two"))
                scenario["first"].when(.attach) { call in
                    .attachments(["Attach": true, "Changes": ["EffectiveSource": .string(call.id == "by-hand" ? one : two)]])
                }
                try await bundle.create()
                try await bundle.begin()
                try await bundle.succeed("create", "--bundle", bundle.path, "--pid-file", bundle.path + "/pid2", "other")
                try await bundle.succeed("start", "other")
                let first = try await bundle.runtime("exec", "by-hand", "cat", "/a/who")
                let second = try await bundle.runtime("exec", "other", "cat", "/a/who")
                #expect(first.output == "one\n" && second.output == "two\n", "\(first) \(second)")
                try await bundle.succeed("delete", "--force", "by-hand")
                try await bundle.succeed("delete", "--force", "other")
            }
        }

        @Test("create, start, kill, delete: the end of the process is when the plugins are asked")
        func steps() async throws {
            try await withBundle { bundle in
                let log = bundle.scenario.log
                try await bundle.create()
                #expect(try await bundle.status() == "created")
                #expect(bundle.process() > 0)
                try await bundle.begin()
                #expect(try await bundle.status() == "running")
                #expect(try log.containerLines == Array(calls(bundle).prefix(1)))
                try await bundle.succeed("kill", bundle.id, "TERM")
                try await eventually("the plugin is asked") { log.calls(.detach).count == 1 }
                try await eventually("it has stopped") { try await bundle.status() == "stopped" }
                try await bundle.succeed("delete", bundle.id)
                #expect(try log.containerLines == calls(bundle))
            }
        }

        @Test("run in the background; delete by force ends it")
        func background() async throws {
            try await withBundle { bundle in
                try await bundle.succeed("run", "--detach", "--bundle", bundle.path, "--pid-file", bundle.path + "/pid", bundle.id)
                #expect(try await bundle.status() == "running")
                #expect(try await bundle.runtime("delete", bundle.id).status != 0, "it runs, so it is not deleted without force")
                #expect(bundle.scenario.log.calls(.detach).isEmpty)
                try await bundle.delete()
                #expect(try bundle.scenario.log.containerLines == calls(bundle))
            }
        }

        @Test("An id that is taken: the container that has it stays, and no plugin is asked")
        func taken() async throws {
            try await withBundle { bundle in
                _ = try await bundle.run(["runc", "--root", HandBundle.root, "run", "--detach", "--bundle", bundle.path, bundle.id])
                let result = try await bundle.runtime("create", "--bundle", bundle.path, bundle.id)
                #expect(result.status != 0 && result.output.contains("container by-hand is there already"), "\(result)")
                #expect(try await bundle.status() == "running")
                #expect(bundle.scenario.log.containerLines == [])
                try await bundle.delete()
            }
        }

        @Test("Sockets that somebody listens on for it")
        func listening() async throws {
            try await withBundle(script: "echo $LISTEN_FDS; readlink /proc/self/fd/3") { bundle in
                func run(_ program: String) async throws -> CommandResult {
                    let line = "\(program) --root \(HandBundle.root) run --bundle \(bundle.path) \(bundle.id)"
                    return try await bundle.run(["sh", "-c", "exec 3</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \(line)"])
                }
                let plain = try await run("runc")
                #expect(plain.output == "1\n/dev/null\n")
                #expect(try await run(bundle.scenario.runtimeHost.binary).description == plain.description)
            }
        }

        @Test("One --config for two files")
        func ambiguous() async throws {
            try await withBundle { bundle in
                let result = try await bundle.runtime("create", "--bundle", bundle.path, "--config", "config.json", bundle.id)
                #expect(result.status != 0 && result.output.contains("give its absolute path"), "\(result)")
            }
        }

        @Test("start while a plugin is still told of the mounts")
        func tooEarly() async throws {
            try await withBundle { bundle in
                try await bundle.scenario.serve("first", mounted: true)
                let hold = bundle.scenario["first"].hold(.mounted)
                let creating = try bundle.start(
                    bundle.words(["create", "--bundle", bundle.path, "--pid-file", bundle.path + "/pid", bundle.id]))
                try await hold.isReached()
                #expect(try await bundle.status() == "created")
                let result = try await bundle.runtime("start", bundle.id)
                #expect(result.status != 0 && result.output.contains("still being created"), "\(result)")
                #expect(try await bundle.status() == "created")
                hold.release()
                #expect(try await creating.end(within: .seconds(10)) == 0)
                try await bundle.begin()
                try await bundle.delete()
            }
        }

        @Test("Deleted before it was started")
        func neverStarted() async throws {
            try await withBundle { bundle in
                try await bundle.create()
                try await bundle.delete()
                #expect(try bundle.scenario.log.containerLines == calls(bundle))
                #expect(try await bundle.runtime("delete", "--force", bundle.id).status == 0, "as runc has it")
                #expect(try bundle.scenario.log.containerLines == calls(bundle))
            }
        }

        @Test("A second container of the same name is refused, and the first one is left in peace")
        func sameName() async throws {
            try await withBundle { bundle in
                try await bundle.create()
                try await bundle.begin()
                for words in [["create"], ["run"], ["run", "--detach"]] {
                    let result = try await bundle.run(bundle.words(words + ["--bundle", bundle.path, bundle.id]))
                    #expect(result.status != 0, "\(words): \(result)")
                }
                #expect(bundle.scenario.log.calls(.detach).isEmpty)
                #expect(bundle.scenario.log.calls(.attach).count == 1, "nobody is asked for a container that cannot be")
                #expect(try await bundle.status() == "running")
                try await bundle.delete()
            }
        }

        @Test("Signals to the process that the engine knows reach the container's", arguments: ["process", "command"])
        func signals(_ way: String) async throws {
            try await withBundle(
                script: "trap 'echo usr1' USR1; trap 'echo done; exit 4' TERM; echo up; while :; do sleep 1000 & wait $!; done"
            ) {
                bundle in
                let run = try bundle.start(
                    bundle.words(["run", "--bundle", bundle.path, "--pid-file", bundle.path + "/pid", bundle.id]))
                try await eventually("it is up") { bundle.output.contains("up") }
                func send(_ signal: Int32, _ name: String) async throws {
                    if way == "process" {
                        try await bundle.host.signal(signal, bundle.process())
                    } else {
                        try await bundle.succeed("kill", bundle.id, name)
                    }
                }
                try await send(SIGUSR1, "USR1")
                try await eventually("it has heard") { bundle.output.contains("usr1") }
                try await send(SIGTERM, "TERM")
                #expect(try await run.end(within: .seconds(20)) == 4)
                #expect(bundle.output == "up\nusr1\ndone\n")
            }
        }

        @Test("Who reads the container's output is not kept waiting by the supervisor")
        func output() async throws {
            try await withBundle(script: "echo said; exit 0") { bundle in
                let hold = bundle.scenario["first"].hold(.detach)
                let line = bundle.words(["run", "--detach", "--bundle", bundle.path, bundle.id]).joined(separator: " ")
                let reader = try bundle.start(["sh", "-c", "\(line) 2>&1 | cat; echo end"])
                try await hold.isReached()
                try await eventually("the output has ended") { bundle.output == "said\nend\n" }
                hold.release()
                try await reader.end(within: .seconds(10))
                try await bundle.delete()
            }
        }

        @Test("A terminal")
        func terminal() async throws {
            try await withBundle(
                // A runtime makes the outer terminal raw, and gives the inner one its size, while the process runs already.
                script:
                    "for i in $(seq 50); do [ \"$(stty size 2>/dev/null)\" = \"33 77\" ] && break; sleep 0.1; done; tty; stty size; cat /a/who; exit 6"
            ) { bundle in
                try bundle.edit { $0.set(true, at: "process", "terminal") }
                func run(_ words: [String]) async throws -> CommandResult {
                    let line = (words + ["--root", HandBundle.root, "run", "--bundle", bundle.path, bundle.id]).joined(separator: " ")
                    let inner = "stty rows 33 cols 77; \(line); echo $?; stty -a"
                    return try await bundle.host.run(["script", "--quiet", "--return", "--command", inner, "/dev/null"])
                }
                let plain = try await run(["runc"])
                let result = try await run([bundle.scenario.runtimeHost.binary])
                // script(1) shows the end of its own input at any time.
                let clean = { (text: String) in text.replacing("^@", with: "").replacing("\0", with: "").replacing("^D\u{8}\u{8}", with: "")
                }
                #expect(clean(plain.output).contains("33 77") && clean(plain.output).contains("\r\n6\r\n"), "\(plain)")
                #expect(clean(result.output) == clean(plain.output))
                try bundle.edit { $0.set(false, at: "process", "terminal") }
            }
        }

        /// A runtime that keeps the bundle's config.json and the files called `who` of its sources, and then becomes runc.
        ///
        /// - Returns: its path.
        private func recorder(of bundle: HandBundle) throws -> String {
            let recorder = RuntimeHost.dataFolder + "/recorder"
            try bundle.scenario.host.write(
                """
                #!/bin/sh
                source=/run/mountpoint-runc-sources/*
                case " $* " in *" create "*)
                    cp \(bundle.configurationFile) \(bundle.path)/seen.json; find $source -name who -exec cat {} + >\(bundle.path)/who ;;
                esac
                exec runc "$@"

                """, to: recorder)
            chmod(bundle.scenario.host.path(recorder), 0o755)
            return recorder
        }

        @Test("config.json: the runtime below finds only other sources in it, and the file itself never changes")
        func configuration() async throws {
            try await withBundle(plugins: ["first", "second"]) { bundle in
                let scenario = bundle.scenario
                let odd: JSONValue = ["text": "a\u{7f}é😀 \\ \"", "list": [[], [:], .null, true]]
                try bundle.edit { configuration in
                    configuration.set(["org.example": "kept"], at: "annotations")
                    configuration.set(odd, at: "futureField")
                }
                let text = scenario.host.contents(of: bundle.configurationFile)!
                    .replacing("\"futureField\":{", with: "\"futureField\":{\"huge\": 1.50e+400, \"long\":18446744073709551615,")
                try scenario.host.write(text, to: bundle.configurationFile)
                try scenario.setChain(["first", "second"], ["runtime-path": .string(recorder(of: bundle))])
                let source = try scenario.folder("a")
                func expectSources(_ path: String, _ location: SourceLocation = #_sourceLocation) throws {
                    let seen = scenario.host.contents(of: bundle.path + "/seen.json") ?? ""
                    let index = try JSONValue(parsing: Array(seen.utf8))["mounts"]!.arrayValue!.count - 1
                    let place = "/run/mountpoint-runc-sources/\(index)\(path)"
                    #expect(
                        try JSONValue(parsing: Array(seen.utf8))
                            == JSONValue(parsing: Array(text.replacing("\"\(source)\"", with: "\"\(place)\"").utf8)),
                        sourceLocation: location)
                }
                let inode = try await scenario.host.run(["stat", "--format", "%i %Y", bundle.configurationFile]).output
                try await bundle.create()
                try expectSources(scenario.folder("a"))
                #expect(scenario.host.contents(of: bundle.path + "/who") == "a\n")
                #expect(try await scenario.host.run(["stat", "--format", "%i %Y", bundle.configurationFile]).output == inode)
                try await bundle.delete()

                let moved = try scenario.folder("moved")
                scenario["second"].when(.attach, .attachments(["Attach": true, "Changes": ["EffectiveSource": .string(moved)]]))
                try await bundle.create()
                let seen = scenario.host.contents(of: bundle.path + "/seen.json") ?? ""
                try expectSources(moved)
                #expect(scenario.host.contents(of: bundle.path + "/who") == "moved\n")
                try await bundle.delete()
                #expect(try await scenario.host.run(["stat", "--format", "%i %Y", bundle.configurationFile]).output == inode)
                #expect(seen.contains("1.50e+400") && seen.contains("18446744073709551615"), "numbers as they were written")
                #expect(scenario.host.contents(of: bundle.configurationFile) == text)
                try bundle.edit { configuration in
                    configuration.set(nil, at: "annotations")
                    configuration.set(nil, at: "futureField")
                }
                try await bundle.create()
                try await bundle.delete()
            }
        }

        @Test("Commands that do not concern it are the runtime's own")
        func handedOver() async throws {
            try await withBundle { bundle in
                try await bundle.create()
                try await bundle.begin()
                for words in [
                    ["--version"], ["--help"], ["list", "--quiet"], ["state", bundle.id], ["ps", "--format", "json", bundle.id],
                    ["no-such-command"],
                    ["exec", bundle.id, "sh", "-c", "exit 9"], ["resume", bundle.id], ["spec", "--help"],
                    ["state", "absent"], ["kill", "absent"], ["delete", "absent"], ["start", bundle.id], [], ["--no-such-flag"],
                    ["update", "--memory", "33554432", bundle.id], ["events", "--stats", "absent"],
                ] {
                    let plain = try await bundle.run(["runc", "--root", HandBundle.root] + words)
                    let result = try await bundle.run(bundle.words(words))
                    // Errors carry the time.
                    func clean(_ text: String) -> String {
                        text.replacing(/time="[^"]*"/, with: "").replacing("mountpoint-runc", with: "runc")
                    }
                    #expect(result.status == plain.status, "\(words): \(result)")
                    #expect(clean(result.output) == clean(plain.output), "\(words)")
                }
                try await bundle.delete()
            }
        }
    }
}
