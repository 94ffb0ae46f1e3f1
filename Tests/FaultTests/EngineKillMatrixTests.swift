// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Synchronization
import TestSupport
import Testing

extension FaultTests {
    /// dockerd, the daemon, or both are killed while Docker does something with a volume, and started again.
    @Suite(.needs(.docker), .serialized, .timeLimit(.minutes(600))) struct EngineKillMatrixTests {
        private struct Point {
            var action: EngineHost.Action
            var victim: EngineHost.Victim
            var moment: EngineHost.Moment
        }

        /// Some points in the short form, spread over those of some actions; all of them, and moments between, in the long one.
        private static let mostPoints = FaultTests.number("DOCKER_NFSD_TEST_ENGINE_KILLS", else: 8)
        private static let shortActions = ["volume create", "run to its end", "stop", "volume rm"]
        /// Moments of each action and victim.
        private static let moments = 20

        @Test func aKillOfDockerdOrOfBothLosesAndLeavesNothing() async throws {
            try await EngineHost.with { host in
                var points: [Point] = []
                for action in EngineHost.actions where FaultTests.isLong || Self.shortActions.contains(action.name) {
                    let whole = try await host.trial(action, .both, at: nil)
                    #expect(whole.faults == [], "\(action.name), with nobody killed")
                    for victim in EngineHost.Victim.allCases {
                        points += whole.passages.indices.map { Point(action: action, victim: victim, moment: .passage($0)) }
                        guard FaultTests.isLong else { continue }
                        points += (0..<Self.moments).map { number in
                            Point(action: action, victim: victim, moment: .time(whole.took * number / Self.moments))
                        }
                    }
                }
                if !FaultTests.isLong { points = Self.spread(points, Self.mostPoints) }
                var (hits, faults): ([String: Int], Int) = ([:], 0)
                let began = ContinuousClock.now
                for point in points {
                    let trial = try await host.trial(point.action, point.victim, at: point.moment)
                    if trial.hit != nil { hits["\(point.victim.rawValue)", default: 0] += 1 }
                    if trial.faults.isEmpty { continue }
                    faults += 1
                    Issue.record(
                        "\(point.action.name), \(point.victim.rawValue) killed at \(trial.hit ?? "no moment") (\(point.moment)): \(trial.faults.joined(separator: "; "))\n-- log:\n\(host.daemon.log.suffix(3000))"
                    )
                }
                print(
                    "engine kills: \(points.count) points, \(hits.values.reduce(0, +)) kills \(hits), \(faults) with a fault, \(ContinuousClock.now - began)"
                )
                #expect(hits.count == EngineHost.Victim.allCases.count && hits.values.reduce(0, +) * 3 >= points.count * 2)
            }
        }

        /// So many of them, over the whole length, and of all victims.
        private static func spread(_ points: [Point], _ count: Int) -> [Point] {
            (0..<min(count, points.count)).map { points[$0 * points.count / count] }
        }
    }
}
