// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

extension FaultTests {
    /// The nth system call fails, for every n and every error it can have: the daemon answers, lives, and says the same after a restart.
    @Suite(.serialized, .timeLimit(.minutes(240))) struct ErrorMatrixTests {
        @Test(arguments: [false, true]) func aCallThatFailsIsAnErrorOrNone(isShared: Bool) async throws {
            try await DaemonHost.with(1, DaemonHost.Settings(share: isShared ? "nas:/export" : nil)) { hosts in
                for (error, calls) in FaultCalls.failing {
                    let action = FaultInjector.Action.fail(error)
                    let report = MatrixReport("error matrix, \(isShared ? "shared volumes" : "volumes with a server"), \(action)")
                    let step = FaultTests.isLong ? 1 : 5
                    let matrix = FaultMatrix(daemon: hosts[0], report: report, calls: calls, action: action, step: step)
                    let scenarios = isShared ? FaultScenario.shared : FaultScenario.plain + FaultScenario.others
                    for scenario in scenarios { try await matrix.run(scenario) }
                    print(report.text)
                    #expect(report.tried >= 8)
                }
            }
        }
    }
}
