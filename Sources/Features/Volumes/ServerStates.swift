// SPDX-License-Identifier: AGPL-3.0-or-later

package import KernelMount
package import LinuxSystem
package import Logging
import Synchronization
import SystemPackage

/// What this host knows of a server.
package struct ServerState: Sendable, Equatable {
    /// A time without an answer.
    package struct Outage: Sendable, Equatable {
        /// The first failure after the last answer: RFC 3339, UTC.
        package var since: String
        /// The same on the monotonic clock.
        package var began: ContinuousClock.Instant
        /// Of the last failure.
        package var code: StorageError.Code
        /// The words of the last failure, with what to do; at most ``ServerStates/longestReason`` bytes.
        package var reason: String
        /// When that was, on the monotonic clock.
        package var lastFailed: ContinuousClock.Instant
        /// Failures in a row.
        package var failures: Int
    }

    /// nil while it answers, as far as is known.
    package var outage: Outage?
    /// When it last answered: RFC 3339, UTC; nil if it has not since the daemon's start.
    package var lastAnswer: String?
    /// The same on the monotonic clock.
    package var lastAnswered: ContinuousClock.Instant?
}

/// Which servers answer, as mounts and probes have shown, by ``FileSystemSource/serverKey``. In memory only.
///
/// Reading never waits.
package final class ServerStates: Sendable {
    /// What has shown that a server answers.
    package enum Evidence: Sendable {
        /// A question from user space, which says less than a mount does.
        case probe
        /// The kernel's own client.
        case mount
    }

    /// Servers that are remembered; the one about which nothing was heard for the longest time goes first.
    private static let mostServers = 1024
    /// For how long a mount that was not completed says more than answers to questions.
    private static let doubt = Duration.seconds(120)
    /// Bytes of a failure's words that are kept.
    package static let longestReason = 1024

    struct Entry: Sendable {
        var state = ServerState()
        var breaker: ServerBreaker
        /// Comes when something was heard that callers may wait for; nil while none does.
        var news: Cancellation?
        var touched = 0
    }

    private struct Table: Sendable {
        var entries: [String: Entry] = [:]
        var changes = 0
    }

    private let table = Mutex(Table())
    private let logger: Logger
    /// A failure that took less has cost nobody anything.
    private let costly: Duration
    private let firstPause: Duration

    /// - Parameters:
    ///   - costly: how long it takes to find out that a server does not answer, for callers to be spared it.
    ///   - firstPause: for how long they are spared it the first time.
    package init(logger: Logger, costly: Duration = .seconds(1), firstPause: Duration = ServerBreaker.shortestPause) {
        self.logger = logger
        self.costly = costly
        self.firstPause = firstPause
    }

    // MARK: Reading

    /// What is known of a server; nil if nothing is.
    package func state(of server: String) -> ServerState? { table.withLock { $0.entries[server]?.state } }

    /// What is known of all servers.
    package var all: [String: ServerState] { table.withLock { $0.entries.mapValues(\.state) } }

    // MARK: What was heard

    /// Asks a server whether it answers, and notes what it shows. Blocks, at the longest until the deadline.
    ///
    /// - Returns: false if it can only be asked by a mount; nothing is noted then.
    /// - Throws: `StorageError`: why it does not answer, or that the source cannot be asked.
    package func probe(
        _ source: any FileSystemSource, until deadline: Deadline, cancellation: Cancellation? = nil
    ) throws(StorageError) -> Bool {
        let began = ContinuousClock.now
        do throws(StorageError) {
            guard try source.probe(until: deadline, cancellation: cancellation) else { return false }
            answered(source.serverKey, by: .probe)
            return true
        } catch {
            // What is mounted has an address, and goes on while names are not found.
            if error.code.isAboutReachability, error.code != .nameNotResolved {
                failed(source.serverKey, error, took: ContinuousClock.now - began)
            }
            throw error
        }
    }

    /// Notes that a server answers.
    package func answered(_ server: String, by evidence: Evidence) {
        let ended: ServerState.Outage? = change(server) { entry in
            entry.state.lastAnswer = timestamp()
            entry.state.lastAnswered = .now
            // Such a server has answered questions all the time, so it takes a while until they count.
            if evidence == .probe, let outage = entry.state.outage, outage.code == .timedOut,
                ContinuousClock.now - outage.lastFailed < Self.doubt
            {
                return nil
            }
            defer { entry.state.outage = nil }
            entry.breaker.answered()
            entry.announce()
            return entry.state.outage
        }
        if let ended {
            logger.notice("server \(server) answers again; it had not since \(ended.since), for \(ended.length)")
        }
    }

    /// Notes that a server did not answer.
    ///
    /// - Parameters:
    ///   - time: how long it took to find out.
    ///   - trial: of the breaker, if it was one.
    package func failed(_ server: String, _ error: StorageError, took time: Duration = .zero, trial: Int? = nil) {
        let isCostly = error.code != .refused && time >= costly
        let isNew = change(server) { entry in
            let now = ContinuousClock.now
            let isNew = entry.state.outage == nil
            var outage =
                entry.state.outage ?? .init(since: timestamp(), began: now, code: error.code, reason: "", lastFailed: now, failures: 0)
            outage.code = error.code
            outage.reason = String(decoding: error.reason.utf8.prefix(Self.longestReason), as: UTF8.self)
            outage.lastFailed = now
            outage.failures = min(outage.failures + 1, 1_000_000)
            entry.state.outage = outage
            entry.breaker.failed(isCostly: isCostly, trial: trial, now: now)
            entry.announce()
            return isNew
        }
        if isNew { logger.warning("server \(server) does not answer (\(error.code)): \(error.reason)") }
    }

    func change<Value>(_ server: String, _ body: (inout Entry) -> Value) -> Value {
        table.withLock { table in
            table.changes += 1
            var entry = table.entries[server] ?? Entry(breaker: ServerBreaker(firstPause: firstPause))
            entry.touched = table.changes
            let value = body(&entry)
            table.entries[server] = entry
            if table.entries.count > Self.mostServers, let oldest = table.entries.min(by: { $0.value.touched < $1.value.touched }) {
                table.entries[oldest.key] = nil
            }
            return value
        }
    }
}

extension ServerStates.Entry {
    /// Wakes those who wait for news.
    mutating func announce() {
        news?.cancel()
        news = nil
    }

    /// What a caller may do now, and what to wait for if it is to wait.
    fileprivate mutating func decide(mayWait: Bool) -> (decision: ServerBreaker.Decision, news: Cancellation?) {
        let decision = breaker.decide(state, mayWait: mayWait, now: .now)
        guard case .wait = decision else { return (decision, nil) }
        if news == nil { news = try? Cancellation() }
        // Without a descriptor to wait on, all ask at once.
        return news == nil ? (.pass, nil) : (decision, news)
    }
}

extension ServerStates: ServerGate {
    package func pass<Value>(
        _ attempt: ServerAttempt, _ body: (Deadline) throws(StorageError) -> Value
    ) throws(StorageError) -> Value {
        let server = attempt.source.serverKey
        while true {
            let (decision, news) = change(server) { $0.decide(mayWait: attempt.mayWait) }
            switch decision {
            case .pass: return try make(attempt, until: attempt.deadline, trial: nil, body)
            case .trial(let id, let limit):
                defer {
                    change(server) { entry in
                        entry.breaker.ended(trial: id)
                        entry.announce()
                    }
                }
                let deadline = limit.map { Deadline(after: $0).earlier(attempt.deadline) } ?? attempt.deadline
                do throws(StorageError) { return try make(attempt, until: deadline, trial: id, body) } catch {
                    var error = error
                    // It was the trial's time that was over, not the caller's.
                    if limit != nil, error.code == .timedOut, error.stuck == nil, !attempt.deadline.hasPassed { error.mayPass = true }
                    throw error
                }
            case .refuse(let next): throw refusal(attempt, next: next)
            case .wait(let instant):
                var poll = Poll()
                poll.add(news?.descriptor.rawValue)
                poll.add(attempt.cancellation?.descriptor.rawValue)
                poll.wait(until: instant.map { Deadline($0).earlier(attempt.deadline) } ?? attempt.deadline)
                if attempt.cancellation?.isCancelled == true {
                    throw StorageError.mounting(attempt.source.text, .cancelled, "given up because the caller has gone")
                }
                if attempt.deadline.hasPassed { throw refusal(attempt, next: .now) }
            }
        }
    }

    /// Makes an attempt, and notes what it has shown of the server.
    private func make<Value>(
        _ attempt: ServerAttempt, until deadline: Deadline, trial: Int?, _ body: (Deadline) throws(StorageError) -> Value
    ) throws(StorageError) -> Value {
        let (server, began) = (attempt.source.serverKey, ContinuousClock.now)
        do throws(StorageError) {
            let value = try body(deadline)
            answered(server, by: .mount)
            return value
        } catch {
            if error.code.isAnswer {
                answered(server, by: .mount)
            } else if error.code.isAboutReachability, attempt.hasTime || error.code == .refused || error.code == .noRoute {
                failed(server, error, took: ContinuousClock.now - began, trial: trial)
            }
            throw error
        }
    }

    /// - Parameter next: when the server is asked again.
    private func refusal(_ attempt: ServerAttempt, next: ContinuousClock.Instant) -> StorageError {
        let source = attempt.source
        guard let outage = state(of: source.serverKey)?.outage else {
            return .mounting(
                source.text, .timedOut, "\(source.serverKey) is being asked by another mount, which has not ended in time; try again",
                mayPass: true)
        }
        let seconds = (next - .now).components.seconds
        let words = seconds > 0 ? "it is asked again in \(seconds) s" : "it is being asked again just now"
        return .mounting(
            source.text, outage.code,
            "\(source.serverKey) has not answered since \(outage.since), for \(outage.length) (\(words)): \(outage.reason)", mayPass: true)
    }
}

extension ServerState.Outage {
    /// How long it lasts by now, for a person.
    package var length: String {
        let seconds = (ContinuousClock.now - began).components.seconds
        return seconds < 120 ? "\(seconds) s" : seconds < 7200 ? "\(seconds / 60) min" : "\(seconds / 3600) h"
    }
}

extension StorageError.Code {
    /// Whether the server, or the way to it, is what failed.
    package var isAboutReachability: Bool { [.nameNotResolved, .noRoute, .refused, .silent, .mute, .timedOut].contains(self) }

    /// Whether only a server that answers can be the cause.
    fileprivate var isAnswer: Bool { [.accessDenied, .exportNotThere, .stale, .subdirectory].contains(self) }
}
