// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import TestSupport
import Testing

/// The daemon on kernel NFS, killed and refused at its system calls.
extension MachineTests.ServerFaults {
    struct Trials: Sendable, CustomTestStringConvertible {
        var version: String
        /// As fault-injector takes it.
        var action: String
        var calls: String
        /// Of each scenario; 0 for all.
        var points: Int
        var scenarios: String

        var testDescription: String { "\(action), version \(version)" }

        private static let scenarios = "mount,mount of a directory to be made,unmount,remove,deleting removal"

        static let few = [
            Trials(version: "4.2", action: "kill", calls: FaultCalls.changing, points: 2, scenarios: "mount,unmount,deleting removal"),
            Trials(
                version: "3", action: String(FaultCalls.failing[0].error), calls: FaultCalls.failing[0].calls + ",!health", points: 1,
                scenarios: "mount,unmount"),
        ]
        static let all = ["3", "4.0", "4.2"].flatMap { version in
            let kills = ["kill", "kill-self"].map { (action: $0, calls: $0 == "kill" ? "all,!health" : Self.processesThatMount) }
            let failures = FaultCalls.failing.map { (action: String($0.error), calls: $0.calls + ",!health") }
            return (kills + failures).map { Trials(version: version, action: $0.action, calls: $0.calls, points: 0, scenarios: scenarios) }
        }
        private static let processesThatMount = "all,!docker-nfsd,!NIO,!oot.,!-qos,!volume,!engine,!health,!signals,!share"
    }

    @Test(
        "killed or refused at any system call of a request with kernel NFS, the daemon loses and leaves nothing",
        .timeLimit(.minutes(600)), arguments: FarServer.isLong ? Trials.all : Trials.few)
    func systemCallFails(trials: Trials) async throws {
        let injector = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/fault-injector"
        try await Guest.machine?.copy(injector, to: "/root/fault-injector")
        let script = """
            cat > matrix.py <<'END'
            \(KernelFaultMatrix.program)
            END
            chmod 755 fault-injector
            python3 matrix.py /root/fault-injector /root/matrix \(trials.version) \(trials.points) \(trials.action) '\(trials.calls)' '\(trials.scenarios)'
            rm -rf /root/matrix /exports/data/matrix
            """
        let output = try await Guest.expect(script, limit: FarServer.isLong ? 7200 : 300)
        print("kernel NFS, \(trials.testDescription):\n\(output)")
        #expect(!output.contains("FAULT"), "\(output)")
        let end = output.firstMatch(of: /tried ([0-9]+) bad 0 mounts 0/)
        #expect(end.flatMap { Int($0.output.1) } ?? 0 >= 2, "\(output)")
    }
}
