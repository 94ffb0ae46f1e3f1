// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    /// Whoever is killed, and whenever: once the container is removed, each plugin that has been asked to attach has been asked to
    /// detach, once, and nothing is left. ``Scenario`` sees to these.
    @Suite("Killed with SIGKILL")
    struct Kills {
        enum Victim: String, Sendable, CaseIterable {
            /// The process whose request the plugin has just got.
            case caller
            case parentOfCaller, callerAndParent
            case supervisor, shim, containersProcess, runtimeBelow
        }

        struct Case: Sendable, CustomTestStringConvertible {
            var moment: PluginMethod
            var victim: Victim
            var testDescription: String { "\(victim.rawValue) during \(moment.shortName)" }
        }

        static let cases: [Case] =
            [.caller, .shim].map { Case(moment: .attach, victim: $0) }
            + [.caller, .parentOfCaller, .callerAndParent, .shim, .containersProcess].map { Case(moment: .mounted, victim: $0) }
            + [.caller, .parentOfCaller, .callerAndParent, .supervisor, .shim].map { Case(moment: .detach, victim: $0) }

        /// Its numbers on the host.
        private func processes(of victim: Victim, caller: pid_t?, container: String?, in scenario: Scenario) async throws -> [pid_t] {
            let host = scenario.host
            func supervisor() async throws -> pid_t {
                pid_t(try await scenario.inspect("container", "box")["State"]?["Pid"]?.intValue ?? 0)
            }
            switch victim {
            case .caller: return [caller!]
            case .parentOfCaller: return [try host.parent(of: caller!)]
            case .callerAndParent: return [try host.parent(of: caller!), caller!]
            case .supervisor: return [try await supervisor()]
            case .shim:
                return host.processes().filter { $0.name.hasPrefix("containerd-shim") && $0.commandLine.contains { $0 == container } }.map(
                    \.id)
            case .containersProcess:
                // Before the start its supervisor is the one who asks.
                if let caller { return try host.children(of: caller) }
                return try host.children(of: try await supervisor())
            case .runtimeBelow: return host.processes().filter { $0.name == "runc" }.map(\.id)
            }
        }

        private func kill(_ victims: [pid_t], in scenario: Scenario) async throws {
            #expect(!victims.isEmpty && !victims.contains(0) && !victims.contains(1), "\(victims)")
            let result = try await scenario.host.run(["kill", "-KILL"] + victims.map(String.init))
            #expect(result.status == 0, "\(result)")
        }

        @Test("While a plugin has been asked and has not answered", arguments: cases)
        func asked(_ kill: Case) async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                try await scenario.serve("second", mounted: true)
                let hold = scenario["second"].hold(kill.moment)
                let words = try scenario.binds("a")
                let client = Task {
                    try await scenario.runDocker(
                        ["run", "--detach", "--name", "box", "--runtime", "mountpoint", "--network", "none"] + words
                            + ["busybox", "sh", "-c", kill.moment == .detach ? "exit 0" : "sleep 1000"])
                }
                try await hold.isReached()
                let asked = try #require(scenario.log.calls(kill.moment, of: "second").last)
                let victims = try await processes(of: kill.victim, caller: asked.caller, container: asked.id, in: scenario)
                try await self.kill(victims, in: scenario)
                hold.release()
                _ = try await client.value
                try await scenario.docker("rm", "--force", "box")
                #expect(scenario.log.calls(.detach, of: "third").count == (kill.moment == .attach ? 0 : 1))
            }
        }

        @Test("The caller of Attach, and the plugin answers only later", arguments: [true, false])
        func lateAnswer(isPluginLast: Bool) async throws {
            try await Scenario.run("first", "second") { scenario in
                let name = isPluginLast ? "second" : "first"
                let hold = scenario[name].hold(.attach)
                let words = try scenario.binds("a")
                let client = Task { try await scenario.run(["--name", "box"] + words, script: "true") }
                try await hold.isReached()
                try await kill([scenario.log.calls(.attach, of: name)[0].caller!], in: scenario)
                _ = try await client.value
                try await scenario.docker("rm", "--force", "box")
                #expect(scenario.log.calls(.detach, of: name).count == 1, "it may have attached by then")
                hold.release()
            }
        }

        @Test("While the container runs", arguments: [Victim.supervisor, .shim, .containersProcess])
        func running(_ victim: Victim) async throws {
            try await Scenario.run("first", "second") { scenario in
                let id = try await scenario.start("box", scenario.binds("a"))
                try await kill(processes(of: victim, caller: nil, container: id, in: scenario), in: scenario)
                try await eventually("Docker sees the end of it") {
                    try await scenario.inspect("container", "box")["State"]?["Running"] == false
                }
                #expect(try await scenario.exitCode("box") == 137)
                try await scenario.docker("start", "box")
                #expect(try await scenario.docker("exec", "box", "cat", "/a/who") == "a", "it starts again")
                try await scenario.docker("rm", "--force", "box")
                #expect(scenario.log.calls(.attach).count == 4)
            }
        }

        @Test("The supervisor, and no engine that takes notice: the runtime's delete undoes all")
        func byHand() async throws {
            try await Scenario.run("first", "second") { scenario in
                let bundle = try await HandBundle("killed", in: scenario)
                defer { bundle.remove() }
                try await bundle.create()
                try await bundle.begin()
                try await kill([bundle.process()], in: scenario)
                #expect(scenario.log.calls(.detach).isEmpty, "nobody is left who could ask")
                try await bundle.delete()
                #expect(scenario.log.containerLines.suffix(2) == ["second Detach", "first Detach"])
                #expect(try await bundle.status() == nil)
            }
        }

        @Test("Who undoes, after a plugin's detach has failed: the container's 0 becomes 129 all the same")
        func failureIsKept() async throws {
            try await Scenario.run("first", "second") { scenario in
                scenario["second"].when(.detach, .failure("no", recoverable: true))
                let hold = scenario["first"].hold(.detach)
                let bundle = try await HandBundle("killed", in: scenario, script: "exit 0")
                defer { bundle.remove() }
                let running = try bundle.start(bundle.words(["run", "--bundle", bundle.path, bundle.id]))
                try await hold.isReached()
                let runtimes = bundle.host.processes().filter { $0.name.hasPrefix("mountpoint-runc") }
                // The last one made is the one that asks.
                try await kill(runtimes.map(\.id).max().map { [$0] } ?? [], in: scenario)
                hold.release()
                #expect(try await running.end(within: .seconds(20)) == 129)
                #expect(scenario.log.calls(.detach).map(\.plugin) == ["second", "first"])
            }
        }

        @Test("The supervisor, and the next container has the same name: the old one is undone first")
        func sameNameNext() async throws {
            try await Scenario.run("first") { scenario in
                let bundle = try await HandBundle("killed", in: scenario)
                defer { bundle.remove() }
                try await bundle.create()
                try await kill([bundle.process()], in: scenario)
                _ = try await bundle.run(["runc", "--root", HandBundle.root, "delete", "--force", bundle.id])
                try await bundle.create()
                #expect(scenario.log.calls.filter { $0.id != nil }.map(\.method) == [.attach, .detach, .attach])
                try await bundle.delete()
            }
        }

        @Test(
            "delete itself, while it undoes what a killed supervisor has left, and another delete waits or does not",
            arguments: [true, false])
        func deleting(isAnotherWaiting: Bool) async throws {
            try await Scenario.run("first", "second") { scenario in
                let bundle = try await HandBundle("killed", in: scenario)
                defer { bundle.remove() }
                try await bundle.create()
                try await kill([bundle.process()], in: scenario)
                let hold = scenario["second"].hold(.detach)
                let deleting = try bundle.start(bundle.words(["delete", "--force", bundle.id]))
                try await hold.isReached()
                let undoing = bundle.host.processes().filter { $0.name.hasPrefix("mountpoint-runc") }
                let waiting = isAnotherWaiting ? try bundle.start(bundle.words(["delete", "--force", bundle.id])) : nil
                if isAnotherWaiting {
                    try await eventually("it looks for the lock again and again") {
                        bundle.host.processes().contains { process in
                            process.name.hasPrefix("mountpoint-runc") && !undoing.contains(process)
                                && (try? readProcess(bundle.host.path("/proc/\(process.id)/wchan"))) == "hrtimer_nanosleep"
                        }
                    }
                }
                try await kill(undoing.map(\.id), in: scenario)
                try await deleting.end(within: .seconds(10))
                hold.release()
                if let waiting { #expect(try await waiting.end(within: .seconds(10)) == 0) }
                try await bundle.delete()
                #expect(scenario.log.calls(.detach).map(\.plugin) == ["second", "first"])
                #expect(try await bundle.status() == nil)
            }
        }

        /// What is known of the container, and who runs, for a message.
        private static func left(_ bundle: HandBundle) async throws -> String {
            let processes = bundle.host.processes().map { "\($0.id) \($0.name)" }
            return "\(try await bundle.runtime("status").output)\n\(processes.joined(separator: ", "))"
        }

        /// Whether it makes calls in another's place, as when it sends a request to a plugin: if it is killed then, nobody can tell whether
        /// the plugin has the request, and it is left to an operator. kcmp(2), KCMP_VM
        private static func sharesMemoryWithParent(_ process: pid_t) -> Bool {
            let status = (try? readProcess("/proc/\(process)/status")) ?? ""
            let line = status.split(separator: "\n").first { $0.hasPrefix("PPid:") }
            guard let parent = line.flatMap({ pid_t($0.dropFirst(5).trimmingCharacters(in: .whitespaces)) }) else { return false }
            typealias Call = @convention(c) (Int, Int, Int, Int, Int, Int) -> Int
            guard let symbol = dlsym(nil, "syscall") else { return false }
            #if arch(x86_64)
                let number = 312
            #else
                let number = 272
            #endif
            return unsafeBitCast(symbol, to: Call.self)(number, Int(process), Int(parent), 1, 0, 0) == 0
        }

        @Test("At any time, a hundred times over")
        func anyTime() async throws {
            try await Scenario.run("first", "second") { scenario in
                try await scenario.serve("second", mounted: true)
                let bundle = try await HandBundle("victim", in: scenario)
                defer { bundle.remove() }
                var (killed, round) = (0, 0)
                // Now and then nobody is there to be killed.
                while killed < 100 && round < 400 {
                    round += 1
                    let step = round % 4
                    let delay = UInt64.random(in: 0...45_000_000)
                    var (name, isCreated) = ("nobody", true)
                    let before = scenario.log.entries.count
                    for (index, words) in [
                        ["create", "--bundle", bundle.path, "--pid-file", bundle.path + "/pid", bundle.id], ["start", bundle.id],
                        ["kill", bundle.id, "KILL"], ["delete", bundle.id],
                    ].enumerated() {
                        let running = try bundle.start(bundle.words(words))
                        if index == step {
                            try await Task.sleep(nanoseconds: delay)
                            let victims = ["mountpoint-runc", "runc"].flatMap { name in
                                bundle.host.outsideNumbers(named: name).map { (name, $0) }
                            }.filter { !Self.sharesMemoryWithParent($0.1) }
                            if let victim = victims.randomElement(), Glibc.kill(victim.1, SIGKILL) == 0 {
                                killed += 1
                                name = victim.0
                            }
                        }
                        let status = try await running.end(within: .seconds(20))
                        if index == 0 { isCreated = status == 0 }
                    }
                    _ = try await bundle.runtime("delete", "--force", bundle.id)
                    let log = scenario.log
                    let calls = log.entries.dropFirst(before).map(\.call.description).joined(separator: ", ")
                    let what = "round \(round): \(name) killed \(delay / 1000) µs into step \(step): \(calls)"
                    try? await eventually("the books balance", within: .seconds(30)) { log.imbalance.isEmpty }
                    let left = log.imbalance.isEmpty ? "" : try await Self.left(bundle)
                    try #require(log.imbalance == [], "\(what)\n\(bundle.output.suffix(1000))\n\(left)")
                    try #require(try await bundle.status() == nil, "\(what)")
                    try await eventually("nobody is left: \(what)") {
                        !bundle.host.processes().contains { ["mountpoint-runc", "runc", "runc:[2:INIT]", "sleep"].contains($0.name) }
                    }
                    let groups = bundle.host.removeEmptyControlGroups(named: bundle.id)
                    // A runc that is killed before it has written its state leaves groups that it does not know of afterwards, with
                    // and without this program.
                    if isCreated { try #require(groups == [], "\(what)") }
                }
                #expect(killed == 100, "or this tests too little")
            }
        }
    }
}
