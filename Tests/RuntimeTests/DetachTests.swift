// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("The end of a container")
    struct Detaching {
        struct Ending: Sendable, CustomTestStringConvertible {
            var status: Int
            var reported: Int
            var testDescription: String { "\(status) becomes \(reported)" }
        }

        static let endings: [Ending] = [
            Ending(status: 0, reported: 129), Ending(status: 3, reported: 3), Ending(status: 137, reported: 137),
        ]

        @Test("A detach that fails recoverably: the others follow, and 0 becomes 129", arguments: endings)
        func recoverable(_ ending: Ending) async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                scenario["second"].when(.detach, .failure("cannot flush", recoverable: true))
                let result = try await scenario.run(["--name", "box"] + scenario.binds("a"), script: "exit \(ending.status)")
                #expect(result.status == ending.reported, "\(result)")
                #expect(try await scenario.exitCode("box") == ending.reported)
                #expect(scenario.log.containerLines.suffix(3) == ["third Detach", "second Detach", "first Detach"])
            }
        }

        @Test("A detach that fails for good: nobody else is asked, and 0 becomes 129", arguments: endings)
        func unrecoverable(_ ending: Ending) async throws {
            try await Scenario.run("first", "second", "third", isBalanced: false) { scenario in
                scenario["second"].when(.detach, .failure("broken", recoverable: false))
                let result = try await scenario.run(["--name", "box"] + scenario.binds("a"), script: "exit \(ending.status)")
                #expect(result.status == ending.reported, "\(result)")
                try await scenario.docker("rm", "box")
                let source = try scenario.folder("a")
                #expect(
                    scenario.log.containerLines == [
                        "first Attach \(source)", "second Attach \(source)", "third Attach \(source)", "third Detach", "second Detach",
                    ])
            }
        }

        @Test("Recoverable is false where it is not given")
        func recoverableByDefault() async throws {
            try await Scenario.run("first", "second", isBalanced: false) { scenario in
                scenario["second"].when(.detach, .failure("broken"))
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 129, "\(result)")
                #expect(scenario.log.containerLines.last == "second Detach")
            }
        }

        @Test("The container's end is told once all have detached", arguments: ["run", "wait", "stop", "attached"])
        func blocks(_ command: String) async throws {
            try await Scenario.run("first", "second") { scenario in
                let detached = scenario["first"].hold(.detach)
                let words = try scenario.binds("a")
                let client: Task<CommandResult, any Error>
                if command == "run" {
                    client = Task { try await scenario.run(["--name", "box"] + words, script: "exit 5") }
                } else {
                    try await scenario.start("box", words, status: 5)
                    client = Task {
                        switch command {
                        case "wait": try await scenario.runDocker(["wait", "box"])
                        case "stop": try await scenario.runDocker(["stop", "--time", "10", "box"])
                        default: try await scenario.runDocker(["attach", "box"])
                        }
                    }
                    if command == "attached" {
                        let filters = ["container=\(try await scenario.docker("inspect", "--format", "{{.Id}}", "box"))", "event=attach"]
                        try await eventually("somebody is attached") {
                            try await scenario.docker(
                                ["events", "--since", "1h", "--until", "0s"] + filters.flatMap { ["--filter", $0] }) != ""
                        }
                    }
                    if command != "stop" { try await scenario.docker("kill", "--signal", "TERM", "box") }
                }
                try await detached.isReached()
                let state = try await scenario.inspect("container", "box")["State"]
                #expect(state?["Status"] == "running", "not over before the plugins are done: \(state ?? .null)")
                #expect(scenario.log.containerLines.suffix(2) == ["second Detach", "first Detach"])
                detached.release()
                let result = try await client.value
                switch command {
                case "run", "attached": #expect(result.status == 5, "\(result)")
                case "wait": #expect(result.output == "5\n")
                default: #expect(result.status == 0)
                }
                #expect(try await scenario.exitCode("box") == 5)
            }
        }

        @Test("The container's processes and mounts are gone when plugins are asked to detach")
        func mountsAreGone() async throws {
            try await Scenario.run("first") { scenario in
                let place = try scenario.folder("a")
                let host = scenario.host
                scenario["first"].when(.detach) { _ in
                    let holders = host.processes().filter { process in
                        // A copy of the mount in any namespace would keep what lies below from being unmounted.
                        ((try? readProcess(host.path("/proc/\(process.id)/mountinfo"))) ?? "").split(separator: "\n").contains {
                            $0.split(separator: " ")[4] == "/a"
                        }
                    }
                    return holders.isEmpty ? .success : .failure("still mounted in \(holders)", recoverable: true)
                }
                let result = try await scenario.run(["--init"] + scenario.binds("a"), script: "sleep 1000 & sleep 1001 & true")
                #expect(result.status == 0, "129 if the mount of \(place) is still somewhere: \(scenario.log.entries.last!)")
            }
        }

        @Test("Ended by a signal, by the kernel for its memory, by itself: one detach each", arguments: ["kill", "stop", "memory", "exit"])
        func ends(_ kind: String) async throws {
            try await Scenario.run("first") { scenario in
                var words = try scenario.binds("a")
                if kind == "memory" { words += ["--memory", "16m", "--memory-swap", "16m"] }
                if kind == "memory" || kind == "exit" {
                    let script = kind == "exit" ? "exit 7" : "exec tail /dev/zero"
                    let result = try await scenario.run(["--name", "box"] + words, script: script)
                    #expect(result.status == (kind == "exit" ? 7 : 137), "\(result)")
                } else {
                    try await scenario.start("box", words, status: 4)
                    try await scenario.docker(kind, "box")
                    try await eventually("it has ended") {
                        try await scenario.inspect("container", "box")["State"]?["Status"] == "exited"
                    }
                    #expect(try await scenario.exitCode("box") == (kind == "kill" ? 137 : 4))
                }
                #expect(try await scenario.inspect("container", "box")["State"]?["OOMKilled"] == .bool(kind == "memory"))
                #expect(scenario.log.containerLines == ["first Attach \(try scenario.folder("a"))", "first Detach"])
            }
        }

        @Test("Stopped twice and removed by force while a plugin still detaches: all wait, it is asked once")
        func impatience() async throws {
            try await Scenario.run("first") { scenario in
                try await scenario.start("box", scenario.binds("a"), status: 4)
                let detaching = scenario["first"].hold(.detach)
                async let first = scenario.runDocker(["stop", "--time", "1", "box"])
                try await detaching.isReached()
                async let second = scenario.runDocker(["stop", "--time", "1", "box"])
                async let kill = scenario.runDocker(["kill", "box"])
                async let removal = scenario.runDocker(["rm", "--force", "box"])
                // Docker's patience with `stop` and its SIGKILL have passed by then.
                try await Task.sleep(for: .seconds(3))
                #expect(scenario.log.calls(.detach).count == 1)
                let clock = ContinuousClock()
                let began = clock.now
                _ = try await scenario.runDocker(["kill", "--signal", "USR1", "box"])
                #expect(clock.now - began < .seconds(5), "a signal waits for nobody")
                detaching.release()
                _ = try await (first, second, kill, removal)
                try await eventually("it is removed") { try await scenario.docker("ps", "--all", "--quiet") == "" }
                #expect(scenario.log.containerLines == ["first Attach \(try scenario.folder("a"))", "first Detach"])
            }
        }

        @Test("A plugin that never answers a detach is given up at the deadline, and what it left for that case is done")
        func hangs() async throws {
            try await Scenario.run("first", "second", settings: ["plugin-timeout": 1]) { scenario in
                let file = try scenario.folder("left") + "/behind"
                try scenario.host.write("", to: file)
                scenario["second"].when(
                    .attach, .attachments(["Attach": true, "EmergencyDetach": [["Warning": "second hangs"], ["Remove": .string(file)]]]))
                let hold = scenario["second"].hold(.detach)
                let clock = ContinuousClock()
                let began = clock.now
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(clock.now - began < .seconds(20))
                #expect(result.status == 0, "\(result)")
                #expect(scenario.host.contents(of: file) == nil, "removed in the plugin's place")
                #expect(scenario.log.containerLines.suffix(2) == ["second Detach", "first Detach"])
                hold.release()
            }
        }
    }
}
