// SPDX-License-Identifier: AGPL-3.0-or-later

package import KernelMount
package import LinuxSystem
package import Logging
import Synchronization

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

    private struct Entry: Sendable {
        var state = ServerState()
        var touched = 0
    }

    private struct Table: Sendable {
        var entries: [String: Entry] = [:]
        var changes = 0
    }

    private let table = Mutex(Table())
    private let logger: Logger

    package init(logger: Logger) { self.logger = logger }

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
        do throws(StorageError) {
            guard try source.probe(until: deadline, cancellation: cancellation) else { return false }
            answered(source.serverKey, by: .probe)
            return true
        } catch {
            if error.code.isAboutReachability { failed(source.serverKey, error) }
            throw error
        }
    }

    /// Notes that a server answers.
    package func answered(_ server: String, by evidence: Evidence) {
        let ended: ServerState.Outage? = change(server) { state in
            state.lastAnswer = timestamp()
            state.lastAnswered = .now
            // Such a server has answered questions all the time.
            if evidence == .probe, state.outage?.code == .timedOut { return nil }
            defer { state.outage = nil }
            return state.outage
        }
        if let ended {
            logger.notice("server \(server) answers again; it had not since \(ended.since), for \(ended.length)")
        }
    }

    /// Notes that a server did not answer.
    package func failed(_ server: String, _ error: StorageError) {
        let isNew = change(server) { state in
            let now = ContinuousClock.now
            let isNew = state.outage == nil
            var outage = state.outage ?? .init(since: timestamp(), began: now, code: error.code, reason: "", lastFailed: now, failures: 0)
            outage.code = error.code
            outage.reason = String(decoding: error.reason.utf8.prefix(Self.longestReason), as: UTF8.self)
            outage.lastFailed = now
            outage.failures = min(outage.failures + 1, 1_000_000)
            state.outage = outage
            return isNew
        }
        if isNew { logger.warning("server \(server) does not answer (\(error.code)): \(error.reason)") }
    }

    /// Notes what an attempt to mount has shown of the server.
    private func note(_ error: StorageError, of attempt: ServerAttempt) {
        let server = attempt.source.serverKey
        if error.code.isAnswer { return answered(server, by: .mount) }
        guard error.code.isAboutReachability, attempt.hasTime || error.code == .refused || error.code == .noRoute else { return }
        failed(server, error)
    }

    private func change<Value>(_ server: String, _ body: (inout ServerState) -> Value) -> Value {
        table.withLock { table in
            table.changes += 1
            var entry = table.entries[server] ?? Entry()
            entry.touched = table.changes
            let value = body(&entry.state)
            table.entries[server] = entry
            if table.entries.count > Self.mostServers, let oldest = table.entries.min(by: { $0.value.touched < $1.value.touched }) {
                table.entries[oldest.key] = nil
            }
            return value
        }
    }
}

extension ServerStates: ServerGate {
    package func pass<Value>(_ attempt: ServerAttempt, _ body: () throws(StorageError) -> Value) throws(StorageError) -> Value {
        do throws(StorageError) {
            let value = try body()
            answered(attempt.source.serverKey, by: .mount)
            return value
        } catch {
            note(error, of: attempt)
            throw error
        }
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
