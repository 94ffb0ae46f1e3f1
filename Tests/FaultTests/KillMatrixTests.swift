// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import TestSupport
import Testing

extension FaultTests {
    /// The daemon is killed at its nth system call, for every n, and started again.
    @Suite(.serialized, .timeLimit(.minutes(240))) struct KillMatrixTests {
        @Test func aKillAtAnyCallOfAPlainRequestLosesAndLeavesNothing() async throws {
            try await DaemonHost.with { hosts in
                let report = MatrixReport("kill matrix, plain requests")
                let matrix = FaultMatrix(daemon: hosts[0], report: report, calls: "all", action: .kill)
                for scenario in FaultScenario.plain { try await matrix.run(scenario) }
                print(report.text)
                #expect(report.tried >= 150)
            }
        }

        @Test(arguments: [false, true]) func aKillAtACallThatChangesSomethingLosesAndLeavesNothing(isShared: Bool) async throws {
            try await DaemonHost.with(1, DaemonHost.Settings(share: isShared ? "nas:/export" : nil)) { hosts in
                let report = MatrixReport(
                    "kill matrix, \(isShared ? "shared volumes" : "subdirectories, removals of data, two containers")")
                let calls = FaultTests.isLong ? "all" : FaultCalls.changing
                let matrix = FaultMatrix(daemon: hosts[0], report: report, calls: calls, action: .kill)
                for scenario in isShared ? FaultScenario.shared : FaultScenario.others { try await matrix.run(scenario) }
                print(report.text)
                #expect(report.tried >= 50)
            }
        }

        @Test func aKillDuringTheStartLosesAndLeavesNothing() async throws {
            try await DaemonHost.with { hosts in
                let report = MatrixReport("kill matrix, start")
                let calls = FaultTests.isLong ? "all" : FaultCalls.changing
                let step = FaultTests.isLong ? 1 : 2
                try await FaultMatrix(daemon: hosts[0], report: report, calls: calls, action: .kill, step: step).runStart()
                print(report.text)
                #expect(report.tried >= 20)
            }
        }

        private static let volume = PluginRequest.create("v", ["server": "nas", "path": "/export"])

        /// Mounts a volume with a daemon that has just begun.
        private func mount(_ daemon: DaemonHost, at place: Int, _ action: FaultInjector.Action) async throws -> [InjectionPoint] {
            await daemon.kill()
            try await daemon.start()
            try await daemon.succeed(Self.volume)
            guard let process = daemon.process else { throw Trouble("the daemon does not run") }
            let injector = try await FaultInjector.attach(
                to: process, calls: "prctl", at: place, action, log: daemon.host.scratch + "/injector.log")
            _ = try await daemon.send(.mount("v", "1"))
            let points = try await injector.points(quiet: action == .count ? 200 : 20_000)
            try await injector.end()
            return points
        }

        /// The process that mounts asks to be killed with the daemon, which may be dead by then.
        @Test func aDaemonThatIsGoneBeforeItsProcessHasBegunLeavesNoMount() async throws {
            try await DaemonHost.with { hosts in
                let daemon = hosts[0]
                // It has the name of the thread that made it until it takes one.
                let places = try await mount(daemon, at: 0, .count).enumerated().filter { $0.element.thread == "volume" }.map {
                    $0.offset + 1
                }
                try await daemon.succeed(.unmount("v", "1"))
                #expect(places.count >= 2, "no process began")
                for place in places {
                    let points = try await mount(daemon, at: place, .orphan)
                    #expect(points.first?.call == "prctl", "\(points)")
                    try await eventually("all that the daemon began has ended", within: .seconds(60)) {
                        daemon.host.processes().allSatisfy { !$0.name.hasPrefix("docker-nfsd") && $0.name != "volume" }
                    }
                    #expect(try daemon.host.mountPoints(below: daemon.folder) == [], "at \(place)")
                }
            }
        }

        @Test func aKillOfTheProcessThatMountsIsAnError() async throws {
            try await DaemonHost.with { hosts in
                let report = MatrixReport("kill matrix, processes that mount")
                let calls = "all,!docker-nfsd,!NIO,!oot.,!-qos,!volume,!engine,!health,!signals,!share"
                let matrix = FaultMatrix(daemon: hosts[0], report: report, calls: calls, action: .killCaller)
                for scenario in FaultScenario.plain + FaultScenario.others { try await matrix.run(scenario) }
                print(report.text)
                #expect(report.tried >= 20)
            }
        }
    }
}
