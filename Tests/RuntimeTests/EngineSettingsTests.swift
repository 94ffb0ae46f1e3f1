// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Glibc
import JSON
import TestSupport
import Testing

extension OwnEngineTests {
    @Suite("Docker is set up in another way")
    struct EngineSettings {
        @Test("Users in containers are others than on the host")
        func userNamespaces() async throws {
            try await RuntimeHost.withRemappedUsers { host in
                try await Scenario.run(on: host, ["first", "second"]) { scenario in
                    try await scenario.serve("second", mounted: true)
                    let moved = try scenario.folder("moved")
                    _ = try await scenario.host.run(["chown", "-R", "300000:300000", moved])
                    scenario["first"].attach(["/a": ["Attach": true, "Changes": ["EffectiveSource": .string(moved)]]])
                    let script = "cat /a/who; touch /a/new; stat -c %u /a/new; cut -c-30 /proc/self/uid_map; exit 3"
                    let plain = try await scenario.run(["--volume", "\(moved):/a"], script: script, runtime: "runc")
                    #expect(plain.output.contains("300000"), "\(plain)")
                    let result = try await scenario.run(scenario.binds("a") + ["--volume", "kept:/kept"], script: script)
                    #expect(result.status == 3 && result.output == plain.output, "\(result)")
                    let source = try scenario.folder("a")
                    let kept = try #require(scenario.log.calls(.attach, of: "first")[0].mounts.first { $0["Destination"] == "/kept" })
                    #expect(kept["Volume"]?["Name"] == "kept" && kept["Type"] == "volume")
                    let place = kept["Source"]!.stringValue!
                    #expect(
                        scenario.log.containerLines == [
                            "first Attach \(source) \(place)", "second Attach \(moved) \(place)", "second Mounted \(moved) \(place)",
                            "second Detach", "first Detach",
                        ])

                    try await scenario.start("box", scenario.binds("a"), status: 4)
                    #expect(try await scenario.docker("exec", "box", "cat", "/a/who") == "moved")
                    #expect(try await scenario.stop("box") == 4)
                }
            }
        }

        @Test("A teardown that takes longer than Docker's patience goes on, and is one")
        func longTeardown() async throws {
            try await RuntimeHost.with { host in
                try await Scenario.run(on: host, ["first", "second"]) { scenario in
                    try await scenario.start("box", scenario.binds("a"), status: 3)
                    let hold = scenario["second"].hold(.detach)
                    let process = pid_t(try await scenario.inspect("container", "box")["State"]?["Pid"]?.intValue ?? 0)
                    let stop = Task { try await scenario.runDocker(["stop", "--time", "1", "box"]) }
                    // After the container's time and twice ten seconds, dockerd kills what it takes for the container's process.
                    try await eventually("Docker has lost its patience", within: .seconds(40)) {
                        !scenario.host.processes().contains { $0.id == process && !$0.commandLine.isEmpty }
                    }
                    #expect(scenario.log.calls(.detach).map(\.plugin) == ["second"])
                    hold.release()
                    _ = try await stop.value
                    try await eventually("Docker knows") {
                        try await scenario.inspect("container", "box")["State"]?["Running"] == false
                    }
                    #expect(try await scenario.exitCode("box") == 137)
                    try await eventually("the others follow") { scenario.log.calls(.detach).map(\.plugin) == ["second", "first"] }
                    try await scenario.docker("start", "box")
                    #expect(try await scenario.docker("exec", "box", "cat", "/a/who") == "a")
                }
            }
        }

        @Test("It is the default, so each container goes through it")
        func isDefault() async throws {
            try await RuntimeHost.with(extraSettings: ["default-runtime": "mountpoint"]) { host in
                try await Scenario.run(on: host, ["first"]) { scenario in
                    let result = try await scenario.runDocker(
                        ["run", "--network", "none"] + scenario.binds("a") + ["busybox", "cat", "/a/who"])
                    #expect(result.status == 0 && result.output == "a\n", "\(result)")
                    let plain = try await scenario.runDocker(["run", "--network", "none", "busybox", "echo", "plain"])
                    #expect(plain.status == 0 && plain.output == "plain\n", "\(plain)")
                    #expect(scenario.log.containerLines == ["first Attach \(try scenario.folder("a"))", "first Detach"])
                }
            }
        }
    }
}
