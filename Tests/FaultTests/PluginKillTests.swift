// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension FaultTests {
    /// A plugin is killed at its nth system call that changes something, for every n, while it is asked to attach or to detach.
    @Suite(.serialized, .timeLimit(.minutes(60))) struct PluginKillTests {
        enum Aftermath: String, Sendable, CaseIterable {
            /// It is started again, and asked to detach.
            case asksAgain = "it comes back and is asked again"
            /// The container is gone when it is started again.
            case isGone = "it comes back when the container is gone"
            /// The host carries out what it was told for that case.
            case emergency = "it does not come back in time"

            /// Other places for each, where not all are tried.
            func firstPlace(_ kind: PluginHost.Kind) -> Int {
                if kind.work == nil || FaultTests.isLong { return 1 }
                return switch self {
                case .asksAgain: 1
                case .isGone, .emergency: 3
                }
            }
        }

        private struct Trial {
            var points: [InjectionPoint] = []
            var faults: [String] = []
            /// What the source is at the end.
            var source = ""
        }

        private static let others = "other"

        /// - Parameter place: of the call, from 1; 0 to count them.
        private func trial(
            _ kind: PluginHost.Kind, _ plugin: PluginHost, _ call: String, at place: Int, _ aftermath: Aftermath
        ) async throws -> Trial {
            var trial = Trial()
            try await plugin.makeSource()
            try plugin.setRunning("c1", true)
            try await plugin.start(kind)
            if kind.hasOther { try await attachOther(kind, plugin) }
            let before = try await plugin.snapshot()
            var attached = JSONValue.null
            if call == "Detach" {
                attached = try await plugin.succeed("Attach", kind, id: "c1")
                try await plugin.work(kind, on: attached)
            }
            guard let process = plugin.process else { throw Trouble("\(kind) does not run") }
            let injector = try await FaultInjector.attach(
                to: process, calls: FaultCalls.changingTrees + ",!NIO", at: place, place == 0 ? .count : .kill,
                log: plugin.host.scratch + "/injector.log")
            let answer = try await plugin.ask(call, kind, id: "c1")
            if place == 0 && answer?["Success"] != true { trial.faults.append("\(call) fails: \(answer ?? .null)") }
            trial.points = try await injector.points(quiet: place == 0 ? 200 : 100)
            try await injector.end()
            await plugin.kill()
            switch aftermath {
            case .asksAgain:
                try await plugin.start(kind)
                try await plugin.succeed("Detach", kind, id: "c1")
            case .emergency:
                try await plugin.performEmergency(attached)
                let mounts = try await plugin.snapshot().mounts
                if mounts != before.mounts { trial.faults.append("without it, mounted is \(mounts)") }
                fallthrough
            case .isGone:
                try plugin.setRunning("c1", false)
                try await plugin.start(kind)
            }
            // What nobody could see the end of is kept, and whole.
            if call == "Detach", aftermath == .emergency { try await plugin.commitKept(kind) }
            let after = try await plugin.snapshot()
            trial.source = after.source
            trial.faults += differences(after, before)
            if call == "Detach", let outcome = kind.outcome {
                if !after.source.contains(outcome + "\n") { trial.faults.append("there is no \(outcome) in\n\(after.source)") }
            } else if after.source != before.source {
                trial.faults.append("the source is\n\(after.source)and not\n\(before.source)")
            }
            if kind.hasOther { trial.faults += try await detachOther(kind, plugin) }
            await plugin.kill()
            return trial
        }

        private func attachOther(_ kind: PluginHost.Kind, _ plugin: PluginHost) async throws {
            try plugin.setRunning(Self.others, true)
            try await plugin.succeed("Attach", kind, id: Self.others)
            try plugin.host.write("key", to: PluginHost.state + "/\(kind.name)/\(Self.others).0/key")
        }

        private func detachOther(_ kind: PluginHost.Kind, _ plugin: PluginHost) async throws -> [String] {
            var faults: [String] = []
            let key = plugin.host.contents(of: PluginHost.state + "/\(kind.name)/\(Self.others).0/key")
            if key != "key" { faults.append("the other container reads \(key ?? "nothing")") }
            try await plugin.succeed("Detach", kind, id: Self.others)
            let left = try await plugin.snapshot().files
            return left.isEmpty ? faults : faults + ["after the other one, there is \(left)"]
        }

        private func differences(_ now: PluginHost.Snapshot, _ before: PluginHost.Snapshot) -> [String] {
            var faults: [String] = []
            if now.mounts != before.mounts { faults.append("mounted is \(now.mounts) and not \(before.mounts)") }
            if now.files != before.files { faults.append("there is \(now.files) and not \(before.files)") }
            return faults
        }

        private func runMatrix(_ kind: PluginHost.Kind, _ call: String, _ aftermath: Aftermath) async throws -> Int {
            var tried = 0
            try await PluginHost.with { plugin in
                let whole = try await trial(kind, plugin, call, at: 0, aftermath)
                #expect(whole.faults == [], "\(kind), \(call), with nothing wrong: \(plugin.log)")
                for place in stride(
                    from: aftermath.firstPlace(kind), through: max(whole.points.count, 1), by: kind.work == nil || FaultTests.isLong ? 1 : 4
                ) {
                    let trial = try await trial(kind, plugin, call, at: place, aftermath)
                    if !trial.points.isEmpty { tried += 1 }
                    let point = trial.points.first.map { "\($0)" } ?? "no call"
                    #expect(trial.faults == [], "\(kind), killed at call \(place) of \(call) (\(point)); \(aftermath.rawValue)")
                    #expect(trial.source == whole.source, "\(kind), killed at call \(place) of \(call) (\(point)); \(aftermath.rawValue)")
                }
            }
            return tried
        }

        @Test(
            "Killed at any call of Attach, it leaves no mount and no file once it is started again",
            arguments: PluginHost.Kind.all, [Aftermath.asksAgain, .isGone])
        func attach(_ kind: PluginHost.Kind, _ aftermath: Aftermath) async throws {
            let tried = try await runMatrix(kind, "Attach", aftermath)
            print("plugin kill matrix, Attach of \(kind), \(aftermath.rawValue): \(tried) points")
            #expect(tried >= 5)
        }

        @Test(
            "Killed at any call of Detach, it leaves no mount and no file once it is started again, and no mount if it is not",
            arguments: PluginHost.Kind.all, [Aftermath.asksAgain, .emergency])
        func detach(_ kind: PluginHost.Kind, _ aftermath: Aftermath) async throws {
            let tried = try await runMatrix(kind, "Detach", aftermath)
            print("plugin kill matrix, Detach of \(kind), \(aftermath.rawValue): \(tried) points")
            #expect(tried >= 3)
        }
    }
}
