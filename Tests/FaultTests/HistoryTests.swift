// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import HistoryChecker
import TestSupport
import Testing
import VolumeWorkload

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
                let run = HistoryRun(nodes: workloadNodes(nodes), seed: seed) { try await disturb(nodes, $0, &$1) }
                let faults = 20 * scale
                let history = try await run.history(operations: 2000 * scale, faults: faults, over: Double(faults) * 2.2)
                // A loaded machine is slow; what a call takes is measured in Benchmarks.
                let limits = HistoryChecker.promised.merging([.list: 5_000_000]) { $1 }.mapValues { Int(Double($0) * testTimeFactor) }
                let wrong = HistoryChecker(limits: limits).faults(in: history)
                print("history of seed \(seed): \(history.summary)")
                if wrong.isEmpty { return }
                let file = NSTemporaryDirectory() + "docker-nfsd-history-\(seed).jsonl"
                try history.text.write(toFile: file, atomically: true, encoding: .utf8)
                Issue.record(
                    "seed \(seed): \(wrong.count) faults; make recheck HISTORY=\(file) tells them again: \(wrong.prefix(5).map(\.description).joined(separator: "\n"))"
                )
            }
        }

        private func workloadNodes(_ nodes: [DaemonHost]) -> [WorkloadNode] {
            zip(["a", "b"], nodes).map { name, node in WorkloadNode(name: name) { try await node.send($0) } }
        }

        private func disturb(_ nodes: [DaemonHost], _ number: Int, _ random: inout SeededNumbers) async throws -> String {
            let index = Int.random(in: nodes.indices, using: &random)
            let (node, name) = (nodes[index], ["a", "b"][index])
            let length = Duration.milliseconds(Int.random(in: 300...1800, using: &random))
            switch number % 3 {
            case 0:
                await node.kill()
                try await node.start()
                return "kill of \(name)"
            case 1:
                try await node.pause(for: length)
                return "\(name) is stopped"
            default:
                try node.setServer(isAway: true)
                try await Task.sleep(for: length)
                try node.setServer(isAway: false)
                return "the share is away from \(name)"
            }
        }
    }
}
