// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import HistoryChecker
import TestSupport
import Testing

extension FaultTests {
    /// Two nodes with one share and eight clients that ask for anything, while daemons are killed or stopped and the share is away.
    @Suite(.serialized, .timeLimit(.minutes(600))) struct HistoryTests {
        /// `DOCKER_NFSD_TEST_SEEDS=1,2` has the runs of these seeds.
        private static let seeds: [Int] = {
            let text = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_SEEDS"] ?? (FaultTests.isLong ? "1,2,3,4,5,6,7,8,9,10" : "1")
            return text.split(separator: ",").compactMap { Int($0) }
        }()

        @Test(arguments: seeds) func whatClientsOfTwoNodesAreToldIsCorrect(seed: Int) async throws {
            try await DaemonHost.with(2, DaemonHost.Settings(share: "nas:/export", refresh: 2)) { nodes in
                for node in nodes { try await node.start() }
                let scale = FaultTests.isLong ? 10 : 1
                let history = try await HistoryRun(nodes: nodes, seed: seed).history(operations: 2000 * scale, faults: 20 * scale)
                // A loaded machine is slow; what a call takes is measured in Benchmarks.
                let limits = HistoryChecker.promised.merging([.list: 5_000_000]) { $1 }.mapValues { Int(Double($0) * testTimeFactor) }
                let faults = HistoryChecker(limits: limits).faults(in: history)
                print(summary(history, seed))
                if faults.isEmpty { return }
                let file = NSTemporaryDirectory() + "docker-nfsd-history-\(seed).jsonl"
                try history.text.write(toFile: file, atomically: true, encoding: .utf8)
                Issue.record(
                    "seed \(seed): \(faults.count) faults; make recheck HISTORY=\(file) tells them again: \(faults.prefix(5).map(\.description).joined(separator: "\n"))"
                )
            }
        }

        private func summary(_ history: History, _ seed: Int) -> String {
            let kinds = Dictionary(grouping: history.operations, by: \.kind).sorted { $0.key.rawValue < $1.key.rawValue }
            let lines = kinds.map { kind, operations in
                let times = operations.map { $0.ended - $0.began }.sorted()
                let outcomes = Dictionary(grouping: operations, by: \.outcome).map { "\($0.key.rawValue) \($0.value.count)" }.sorted()
                return
                    "    \(kind.rawValue): \(outcomes.joined(separator: ", ")); median \(times[times.count / 2] / 1000) ms, longest \((times.last ?? 0) / 1000) ms"
            }
            return "history of seed \(seed): \(history.operations.count) operations, \(history.disturbances.count) faults\n"
                + lines.joined(separator: "\n")
        }
    }
}
