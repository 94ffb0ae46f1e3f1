// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Glibc
import JSON
import TestSupport
import Testing

extension OwnEngineTests {
    /// The rules are those of the other kill tests.
    @Suite("The engine is killed or restarted")
    struct EngineKills {
        enum Victim: String, Sendable, CaseIterable { case dockerd, containerd, both }

        struct Case: Sendable, CustomTestStringConvertible {
            var victim: Victim
            var liveRestore: Bool
            var testDescription: String { "\(victim.rawValue)\(liveRestore ? " with live-restore" : "")" }
        }

        static let cases: [Case] = [true, false].flatMap { live in Victim.allCases.map { Case(victim: $0, liveRestore: live) } }

        private func withEngine(_ liveRestore: Bool, _ body: (Scenario) async throws -> Void) async throws {
            try await RuntimeHost.with(Dockerd.Settings(liveRestore: liveRestore)) { host in
                try await Scenario.run(on: host, ["first", "second"], body)
            }
        }

        private func kill(_ victim: Victim, in scenario: Scenario) async throws {
            let host = scenario.host
            if victim != .containerd { try await scenario.killEngine() }
            if victim != .dockerd {
                for process in host.processes().filter({ $0.name == "containerd" }) { try await host.signal(SIGKILL, process.id) }
            }
        }

        private func comeBack(_ victim: Victim, in scenario: Scenario) async throws {
            if victim != .containerd { try await scenario.startEngine() }
            // dockerd starts another one.
            try await eventually("containerd is back", within: .seconds(60)) {
                guard scenario.host.processes().contains(where: { $0.name == "containerd" }) else { return false }
                return try await scenario.runDocker(["run", "--rm", "--network", "none", "busybox", "true"]).status == 0
            }
        }

        /// The processes that shims wait for.
        private func creation(in host: PrivateHost) throws -> [pid_t] {
            let shims = host.processes().filter { $0.name.hasPrefix("containerd-shim") }.map(\.id)
            return host.processes().filter { $0.commandLine.contains("create") && shims.contains((try? host.parent(of: $0.id)) ?? 0) }.map(
                \.id)
        }

        /// A shim that loses containerd in the middle of its first request is left behind, with runc alone too.
        private func removeShim(of container: String, in scenario: Scenario) async throws {
            for process in scenario.host.processes()
            where process.name.hasPrefix("containerd-shim") && process.commandLine.contains(container) {
                try await scenario.host.signal(SIGKILL, process.id)
            }
            // It has the container deleted then, for which it needs the folder.
            try? await eventually("containerd has seen the shim's end", within: .seconds(20)) { scenario.log.imbalance.isEmpty }
            let tasks = PrivateHost.folder + "/exec/containerd/daemon/io.containerd.runtime.v2.task"
            _ = try await scenario.host.run(["sh", "-c", "umount \(tasks)/moby/\(container)/rootfs; rm -rf \(tasks)/moby/\(container)"])
        }

        private func state(_ scenario: Scenario) async throws -> JSONValue {
            try await scenario.inspect("container", "box")["State"] ?? .null
        }

        @Test("While the container runs; it is stopped afterwards", arguments: cases)
        func running(_ kill: Case) async throws {
            try await withEngine(kill.liveRestore) { scenario in
                try await scenario.start("box", scenario.binds("a"), status: 3)
                try await self.kill(kill.victim, in: scenario)
                try await comeBack(kill.victim, in: scenario)
                if kill.liveRestore {
                    #expect(try await state(scenario)["Running"] == true)
                    #expect(scenario.log.calls(.detach).isEmpty)
                    #expect(try await scenario.docker("exec", "box", "cat", "/a/who") == "a")
                    #expect(try await scenario.stop("box") == 3)
                }
                try await scenario.docker("rm", "--force", "box")
                #expect(scenario.log.calls(.detach).map(\.plugin) == ["second", "first"])
            }
        }

        @Test("The container ends while the engine is away; its status waits", arguments: [Victim.dockerd, .both])
        func endsMeanwhile(_ victim: Victim) async throws {
            try await withEngine(true) { scenario in
                try await scenario.start("box", scenario.binds("a"), status: 3)
                scenario["second"].when(.detach, .failure("stuck", recoverable: true))
                let process = pid_t(try await state(scenario)["Pid"]?.intValue ?? 0)
                try await self.kill(victim, in: scenario)
                // As a person would do it.
                try await scenario.host.signal(SIGTERM, process)
                try await eventually("the plugins are asked meanwhile") { scenario.log.calls(.detach).count == 2 }
                try await comeBack(victim, in: scenario)
                try await eventually("Docker knows") { try await state(scenario)["Running"] == false }
                #expect(try await scenario.exitCode("box") == 3)
                try await scenario.docker("rm", "--force", "box")
            }
        }

        @Test("While a plugin has been asked and has not answered", arguments: [PluginMethod.attach, .mounted, .detach], Victim.allCases)
        func asked(_ moment: PluginMethod, _ victim: Victim) async throws {
            try await withEngine(true) { scenario in
                try await scenario.serve("second", mounted: true)
                let hold = scenario["second"].hold(moment)
                let words = try scenario.binds("a")
                let client = Task {
                    try await scenario.runDocker(
                        ["run", "--detach", "--name", "box", "--runtime", "mountpoint", "--network", "none"] + words
                            + ["busybox", "sh", "-c", moment == .detach ? "exit 3" : "sleep 1000"])
                }
                try await hold.isReached()
                if moment == .detach {
                    // What Docker has not noted of the start, it cannot tell of the end.
                    try await eventually("Docker takes it for running") { try await state(scenario)["Running"] == true }
                }
                let creation = try creation(in: scenario.host)
                try await kill(victim, in: scenario)
                // The shim ends its request with the connection that it came by. Until then a quick plugin would see no difference.
                try await eventually("nobody waits for the creation any more") {
                    moment == .detach || !scenario.host.processes().contains { creation.contains($0.id) && !$0.commandLine.isEmpty }
                }
                hold.release()
                _ = try await client.value
                try await comeBack(victim, in: scenario)
                if moment == .detach && victim == .dockerd {
                    try await eventually("Docker knows") { try await state(scenario)["Running"] == false }
                    #expect(try await scenario.exitCode("box") == 3)
                }
                _ = try await scenario.runDocker(["rm", "--force", "box"])
                if moment != .detach { try await removeShim(of: scenario.log.calls(.attach)[0].id!, in: scenario) }
            }
        }

        @Test("dockerd is restarted in order: containers end with it, or live on", arguments: [true, false])
        func restarted(liveRestore: Bool) async throws {
            try await withEngine(liveRestore) { scenario in
                try await scenario.start("box", ["--restart", "always"] + scenario.binds("a"))
                try await scenario.restartEngine()
                try await eventually("it runs") { try await state(scenario)["Running"] == true }
                #expect(try await scenario.docker("exec", "box", "cat", "/a/who") == "a")
                #expect(scenario.log.calls(.detach).count == (liveRestore ? 0 : 2))
                try await scenario.docker("rm", "--force", "box")
            }
        }
    }
}
