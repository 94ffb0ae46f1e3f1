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
    /// Bytes of a failure's words that are kept.
    package static let longestReason = 1024

    private struct Table: Sendable {
        var servers: [String: ServerKnowledge] = [:]
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
    package func state(of server: String) -> ServerState? { table.withLock { $0.servers[server]?.server.state } }

    /// The same as those see it who mount this source: an export that hangs is away for them, whatever the server answers.
    package func state(of source: any FileSystemSource) -> ServerState? {
        table.withLock { table in
            guard let known = table.servers[source.serverKey] else { return nil }
            var state = known.server.state
            state.outage = state.outage ?? known.exports[source.export]?.state.outage
            return state
        }
    }

    /// What is known of all servers.
    package var all: [String: ServerState] { table.withLock { $0.servers.mapValues(\.server.state) } }

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
    package func answered(_ server: String, by evidence: Evidence) { tell(change(server) { $0.answered(nil, by: evidence) }, of: server) }

    /// Notes that a server did not answer.
    ///
    /// - Parameter time: how long it took to find out.
    package func failed(_ server: String, _ error: StorageError, took time: Duration = .zero) {
        tell(change(server) { $0.failed(error, isCostly: isCostly(error, time), nil) }, of: server, error)
    }

    private func isCostly(_ error: StorageError, _ time: Duration) -> Bool { error.code != .refused && time >= costly }

    /// - Parameter export: what the news of an export are about, as messages show it.
    private func tell(_ news: [ServerKnowledge.News], of server: String, export: String = "", _ error: StorageError? = nil) {
        let reason = error.map { "(\($0.code)): \($0.reason)" } ?? ""
        for one in news {
            switch one {
            case .serverIsAway: logger.warning("server \(server) does not answer \(reason)")
            case .serverAnswers(let outage):
                logger.notice("server \(server) answers again; it had not since \(outage.since), for \(outage.length)")
            case .exportHangs: logger.warning("server \(server) answers, and does not complete mounts of \(export) \(reason)")
            case .exportIsBack(let outage):
                logger.notice("\(export) can be mounted again; it could not since \(outage.since), for \(outage.length)")
            }
        }
    }

    private func change<Value>(_ server: String, _ body: (inout ServerKnowledge) -> Value) -> Value {
        table.withLock { table in
            table.changes += 1
            var known = table.servers[server] ?? ServerKnowledge(firstPause: firstPause)
            known.touched = table.changes
            let value = body(&known)
            table.servers[server] = known
            if table.servers.count > Self.mostServers, let oldest = table.servers.min(by: { $0.value.touched < $1.value.touched }) {
                table.servers[oldest.key] = nil
            }
            return value
        }
    }
}

extension ServerStates: ServerGate {
    package func pass<Value>(
        _ attempt: ServerAttempt, _ body: (Deadline) throws(StorageError) -> Value
    ) throws(StorageError) -> Value {
        let (server, export) = (attempt.source.serverKey, attempt.source.export)
        while true {
            let (permission, news) = change(server) { $0.decide(export, mayWait: attempt.mayWait) }
            switch permission.decision {
            case .pass:
                return try make(attempt, until: attempt.deadline, ServerKnowledge.Attempt(export: export), body)
            case .trial(let id, let limit):
                let trial = ServerKnowledge.Attempt(export: export, trial: id, isOfExport: permission.isOfExport)
                defer { change(server) { $0.ended(trial) } }
                let deadline = limit.map { Deadline(after: $0).earlier(attempt.deadline) } ?? attempt.deadline
                do throws(StorageError) { return try make(attempt, until: deadline, trial, body) } catch {
                    var error = error
                    // It was the trial's time that was over, not the caller's.
                    if limit != nil, error.code == .timedOut, error.stuck == nil, !attempt.deadline.hasPassed { error.mayPass = true }
                    throw error
                }
            case .refuse(let next): throw refusal(attempt, permission, next: next)
            case .wait(let instant):
                var poll = Poll()
                poll.add(news?.descriptor.rawValue)
                poll.add(attempt.cancellation?.descriptor.rawValue)
                poll.wait(until: instant.map { Deadline($0).earlier(attempt.deadline) } ?? attempt.deadline)
                if attempt.cancellation?.isCancelled == true {
                    throw StorageError.mounting(attempt.source.text, .cancelled, "given up because the caller has gone")
                }
                if attempt.deadline.hasPassed { throw refusal(attempt, permission, next: .now) }
            }
        }
    }

    /// Makes an attempt, and notes what it has shown of the server.
    private func make<Value>(
        _ attempt: ServerAttempt, until deadline: Deadline, _ own: ServerKnowledge.Attempt, _ body: (Deadline) throws(StorageError) -> Value
    ) throws(StorageError) -> Value {
        let (server, text, began) = (attempt.source.serverKey, attempt.source.text, ContinuousClock.now)
        do throws(StorageError) {
            let value = try body(deadline)
            tell(change(server) { $0.answered(own.export, by: .mount) }, of: server, export: text)
            return value
        } catch {
            if error.code.isAnswer {
                tell(change(server) { $0.answered(own.export, by: .mount) }, of: server, export: text)
            } else if error.code.isAboutReachability, attempt.hasTime || error.code == .refused || error.code == .noRoute {
                let isCostly = isCostly(error, ContinuousClock.now - began)
                tell(change(server) { $0.failed(error, isCostly: isCostly, own) }, of: server, export: text, error)
            }
            throw error
        }
    }

    /// - Parameter next: when it is asked again.
    private func refusal(
        _ attempt: ServerAttempt, _ permission: ServerKnowledge.Permission, next: ContinuousClock.Instant
    ) -> StorageError {
        let (source, server) = (attempt.source, attempt.source.serverKey)
        guard let outage = table.withLock({ $0.servers[server]?.outage(of: permission, source.export) }) else {
            return .mounting(
                source.text, .timedOut, "\(server) is being asked by another mount, which has not ended in time; try again", mayPass: true)
        }
        let seconds = (next - .now).components.seconds
        let words = seconds > 0 ? "it is asked again in \(seconds) s" : "it is being asked again just now"
        let subject = permission.isOfExport ? "the export has not been mounted" : "\(server) has not answered"
        return .mounting(
            source.text, outage.code, "\(subject) since \(outage.since), for \(outage.length) (\(words)): \(outage.reason)", mayPass: true)
    }
}

extension FileSystemSource {
    /// Which export of the server it is. Two spellings of one may count as two.
    fileprivate var export: ServerKnowledge.Export { Array(location.components.joined(separator: "/").utf8) }
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
