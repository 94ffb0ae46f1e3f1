// SPDX-License-Identifier: AGPL-3.0-or-later

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
