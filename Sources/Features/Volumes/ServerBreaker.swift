// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount

/// A circuit breaker for one server: whether it may be asked now, so that not each of many callers waits for one that does not answer.
///
/// Closed, all may ask. Open, none may but one trial at a time, at growing intervals. A server of which nothing is known yet gets its first
/// callers one after the other, because the kernel makes all mounts wait for a first contact that hangs.
package struct ServerBreaker: Sendable {
    /// What a caller may do.
    enum Decision: Sendable, Equatable {
        /// Ask, together with others.
        case pass
        /// Ask, and tell what came of it. With a limit if the server takes connections and completes nothing.
        case trial(id: Int, limit: Duration?)
        /// Wait for what another caller finds, until the instant if there is one; then decide again.
        case wait(until: ContinuousClock.Instant?)
        /// Do not ask; the server is asked again after the instant.
        case refuse(until: ContinuousClock.Instant)
    }

    /// Between two trials: the first pause, which doubles up to the longest.
    package static let shortestPause = Duration.seconds(2)
    static let longestPause = Duration.seconds(20)
    /// The longest for callers that have time, and would miss a server that comes back.
    static let patientPause = Duration.seconds(5)
    /// How long a first contact keeps others from a server. Longer than a name, a port and an rpcbind take to show that nobody is there.
    static let firstContact = Duration.seconds(12)
    /// For a trial at a server that takes connections and mounts nothing: such a mount keeps those of other servers waiting.
    static let trialLimit = Duration.seconds(20)
    /// One trial in so many has no limit, for a server that is only slow.
    static let unlimitedTrial = 4

    private struct Trial {
        var id: Int
        var began: ContinuousClock.Instant
    }

    /// After the first failure.
    let firstPause: Duration
    private var trial: Trial?
    private var trials = 0
    /// Since it opened.
    private var trialsWhileOpen = 0
    /// Pause after the last failure; nil while closed.
    private var pause: Duration?
    private var lastFailed = ContinuousClock.now

    init(firstPause: Duration = Self.shortestPause) { self.firstPause = firstPause }

    /// - Parameters:
    ///   - isDoubtful: whether something has been heard that makes a server count as one of which nothing is known.
    ///   - mayWait: whether the caller has time and tries again by itself.
    mutating func decide(_ state: ServerState, isDoubtful: Bool = false, mayWait: Bool, now: ContinuousClock.Instant) -> Decision {
        if let pause {
            let next = lastFailed + (mayWait ? min(pause, Self.patientPause) : pause)
            if trial != nil { return mayWait ? .wait(until: nil) : .refuse(until: max(next, now)) }
            if now < next { return .refuse(until: next) }
            let isLimited = state.outage?.code == .timedOut && trialsWhileOpen % Self.unlimitedTrial != Self.unlimitedTrial - 1
            trialsWhileOpen += 1
            return begin(now, limit: isLimited ? Self.trialLimit : nil)
        }
        if !isDoubtful, state.outage != nil || state.lastAnswered != nil { return .pass }
        if let trial, now < trial.began + Self.firstContact { return .wait(until: trial.began + Self.firstContact) }
        return begin(now, limit: nil)
    }

    private mutating func begin(_ now: ContinuousClock.Instant, limit: Duration?) -> Decision {
        trials += 1
        trial = Trial(id: trials, began: now)
        return .trial(id: trials, limit: limit)
    }

    /// The server has not answered.
    ///
    /// - Parameters:
    ///   - isCostly: whether it took a caller's time to find that out. If not, there is nothing to save.
    ///   - id: of the trial that found it; nil if none did.
    mutating func failed(isCostly: Bool, trial id: Int?, now: ContinuousClock.Instant) {
        guard isCostly else { return pause = nil }
        if let pause {
            // Of those who asked at one time, one makes the pause longer.
            guard id != nil else { return }
            self.pause = min(pause * 2, Self.longestPause)
        } else {
            pause = firstPause
            trialsWhileOpen = 0
        }
        lastFailed = now
    }

    /// The server has answered.
    mutating func answered() { pause = nil }

    /// A trial is over, whatever came of it.
    mutating func ended(trial id: Int) { if trial?.id == id { trial = nil } }
}
