// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import Testing

@testable import Volumes

/// The rules by which a server is asked, at times made up here.
struct ServerBreakerTests {
    private let start = ContinuousClock.now
    private let heard = ServerState(outage: nil, lastAnswer: "2026-03-01T12:00:00Z", lastAnswered: .now)

    private func away(_ code: StorageError.Code = .silent) -> ServerState {
        ServerState(outage: .init(since: "", began: start, code: code, reason: "", lastFailed: start, failures: 1))
    }

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .milliseconds(Int(seconds * 1000)) }

    @Test func firstCallersOfAnUnknownServerGoOneAfterTheOther() {
        var breaker = ServerBreaker()
        #expect(breaker.decide(ServerState(), mayWait: false, now: start) == .trial(id: 1, limit: nil))
        #expect(breaker.decide(ServerState(), mayWait: false, now: at(1)) == .wait(until: at(12)))
        #expect(breaker.decide(ServerState(), mayWait: true, now: at(2)) == .wait(until: at(12)))
        // It hangs: the next one tries, and only that one.
        #expect(breaker.decide(ServerState(), mayWait: false, now: at(12)) == .trial(id: 2, limit: nil))
        #expect(breaker.decide(ServerState(), mayWait: false, now: at(13)) == .wait(until: at(24)))
        breaker.ended(trial: 1)
        #expect(breaker.decide(ServerState(), mayWait: false, now: at(14)) == .wait(until: at(24)))
        breaker.ended(trial: 2)
        #expect(breaker.decide(ServerState(), mayWait: false, now: at(15)) == .trial(id: 3, limit: nil))
    }

    @Test func aServerThatHasAnsweredIsAskedByAllAtOnce() {
        var breaker = ServerBreaker()
        breaker.answered()
        for _ in 0..<3 { #expect(breaker.decide(heard, mayWait: false, now: start) == .pass) }
    }

    @Test func aFailureThatCostNothingKeepsNobodyAway() {
        var breaker = ServerBreaker()
        breaker.failed(isCostly: false, trial: nil, now: start)
        #expect(breaker.decide(away(.refused), mayWait: false, now: start) == .pass)
        breaker.failed(isCostly: true, trial: nil, now: start)
        #expect(breaker.decide(away(), mayWait: false, now: start) == .refuse(until: at(2)))
        breaker.failed(isCostly: false, trial: nil, now: start)
        #expect(breaker.decide(away(.refused), mayWait: false, now: start) == .pass)
    }

    @Test func oneAtATimeIsLetThroughAfterGrowingPauses() {
        var breaker = ServerBreaker()
        breaker.failed(isCostly: true, trial: nil, now: start)
        var now = 0.0
        for (number, pause) in [2.0, 4, 8, 16, 20, 20].enumerated() {
            #expect(breaker.decide(away(), mayWait: false, now: at(now + pause - 0.1)) == .refuse(until: at(now + pause)))
            now += pause
            #expect(breaker.decide(away(), mayWait: false, now: at(now)) == .trial(id: number + 1, limit: nil))
            #expect(breaker.decide(away(), mayWait: false, now: at(now + 1)) == .refuse(until: at(now + 1)))
            // Who has asked before and is told only now makes nobody wait longer.
            breaker.failed(isCostly: true, trial: nil, now: at(now + 1))
            now += 3
            breaker.failed(isCostly: true, trial: number + 1, now: at(now))
            breaker.ended(trial: number + 1)
        }
        breaker.answered()
        #expect(breaker.decide(heard, mayWait: false, now: at(now)) == .pass)
    }

    @Test func whoHasTimeAsksSoonerAndWaitsForTheTrial() {
        var breaker = ServerBreaker()
        breaker.failed(isCostly: true, trial: nil, now: start)
        for id in 1...5 { breaker.failed(isCostly: true, trial: id, now: start) }
        #expect(breaker.decide(away(), mayWait: false, now: at(5)) == .refuse(until: at(20)))
        #expect(breaker.decide(away(), mayWait: true, now: at(4)) == .refuse(until: at(5)))
        #expect(breaker.decide(away(), mayWait: true, now: at(5)) == .trial(id: 1, limit: nil))
        #expect(breaker.decide(away(), mayWait: true, now: at(6)) == .wait(until: nil))
        #expect(breaker.decide(away(), mayWait: false, now: at(6)) == .refuse(until: at(20)))
    }

    /// The kernel keeps the mounts of other servers waiting for such a one.
    @Test func aTrialAtAServerThatCompletesNothingIsShort() {
        var breaker = ServerBreaker()
        breaker.failed(isCostly: true, trial: nil, now: start)
        var limits: [Duration?] = []
        for id in 1...5 {
            guard case .trial(id, let limit) = breaker.decide(away(.timedOut), mayWait: false, now: at(Double(100 * id))) else {
                Issue.record("no trial \(id)")
                return
            }
            limits.append(limit)
            breaker.failed(isCostly: true, trial: id, now: at(Double(100 * id)))
            breaker.ended(trial: id)
        }
        let short = ServerBreaker.trialLimit
        #expect(limits == [short, short, short, nil, short])
    }

    /// What ended a trial can be its caller.
    @Test func aTrialThatShowsNothingLeavesItToTheNext() {
        var breaker = ServerBreaker()
        breaker.failed(isCostly: true, trial: nil, now: start)
        #expect(breaker.decide(away(), mayWait: false, now: at(2)) == .trial(id: 1, limit: nil))
        breaker.ended(trial: 1)
        #expect(breaker.decide(away(), mayWait: false, now: at(2)) == .trial(id: 2, limit: nil))
    }
}
