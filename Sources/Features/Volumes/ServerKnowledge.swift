// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem

/// What is remembered of one server: of itself, and of those of its exports that hang although it answers. A value of rules.
///
/// That nothing answers at its port is held against the server. That it took a connection and completed no mount is held against the
/// export: the disk below may hang, and other exports be well. Only if a second export begins to hang before anything was mounted from the
/// server, it is held against the server, too.
struct ServerKnowledge: Sendable {
    /// What is asked, the server or an export of it.
    struct Contact: Sendable {
        var state = ServerState()
        var breaker: ServerBreaker

        init(firstPause: Duration) { breaker = ServerBreaker(firstPause: firstPause) }
    }

    /// The names of an export's path as bytes, with slashes between them.
    typealias Export = [UInt8]

    /// Whether and how an attempt may be made.
    struct Permission: Sendable {
        var decision: ServerBreaker.Decision
        /// It is the export's breaker that has decided, and not the server's.
        var isOfExport: Bool
    }

    /// An attempt that was let through.
    struct Attempt: Sendable {
        var export: Export
        /// Of a breaker, if it is one.
        var trial: Int?
        /// The trial is one of the export's breaker.
        var isOfExport = false
    }

    /// What was not known before, for the log.
    enum News: Sendable {
        case serverIsAway
        case serverAnswers(ServerState.Outage)
        case exportHangs
        case exportIsBack(ServerState.Outage)
    }

    /// Exports that hang, of which each is remembered by itself. Of more, each attempt costs its time.
    static let mostExports = 16
    /// For how long a mount that was not completed says more than answers to questions.
    private static let doubt = Duration.seconds(120)

    private(set) var server: Contact
    private(set) var exports: [Export: Contact] = [:]
    /// The exports that began to hang after the last mount from the server.
    private var suspects: Set<Export> = []
    /// Comes when something was heard that callers may wait for; nil while none does.
    private var announcement: Cancellation?
    /// When it was last used: larger is later.
    var touched = 0
    private let firstPause: Duration

    init(firstPause: Duration) {
        self.firstPause = firstPause
        server = Contact(firstPause: firstPause)
    }

    /// What a refusal of an attempt at an export speaks of.
    func outage(of permission: Permission, _ export: Export) -> ServerState.Outage? {
        permission.isOfExport ? exports[export]?.state.outage : server.state.outage
    }

    // MARK: Asking

    /// What a caller may do now, and what to wait for if it is to wait.
    mutating func decide(_ export: Export, mayWait: Bool) -> (permission: Permission, news: Cancellation?) {
        let permission = permission(export, mayWait: mayWait, now: .now)
        guard case .wait = permission.decision else { return (permission, nil) }
        if announcement == nil { announcement = try? Cancellation() }
        // Without a descriptor to wait on, all ask at once.
        return announcement == nil ? (Permission(decision: .pass, isOfExport: false), nil) : (permission, announcement)
    }

    mutating func permission(_ export: Export, mayWait: Bool, now: ContinuousClock.Instant) -> Permission {
        // A server that is away mounts none of its exports.
        let isAway = server.state.outage.map { $0.code != .timedOut } ?? false
        if !isAway, var contact = exports[export] {
            let decision = contact.breaker.decide(contact.state, mayWait: mayWait, now: now)
            exports[export] = contact
            return Permission(decision: decision, isOfExport: true)
        }
        let decision = server.breaker.decide(server.state, isDoubtful: !suspects.isEmpty, mayWait: mayWait, now: now)
        return Permission(decision: decision, isOfExport: false)
    }

    /// An attempt is over, whatever came of it.
    mutating func ended(_ attempt: Attempt) {
        if let trial = attempt.trial {
            if attempt.isOfExport { exports[attempt.export]?.breaker.ended(trial: trial) } else { server.breaker.ended(trial: trial) }
        }
        announce()
    }

    private mutating func announce() {
        announcement?.cancel()
        announcement = nil
    }

    // MARK: What was heard

    /// - Parameter export: what was mounted, if that is known.
    mutating func answered(_ export: Export?, by evidence: ServerStates.Evidence) -> [News] {
        server.state.lastAnswer = timestamp()
        server.state.lastAnswered = .now
        var news: [News] = []
        if let outage = export.flatMap({ exports.removeValue(forKey: $0) })?.state.outage { news.append(.exportIsBack(outage)) }
        if evidence == .mount {
            suspects = []
        } else if let outage = server.state.outage, outage.code == .timedOut, ContinuousClock.now - outage.lastFailed < Self.doubt {
            // Such a server has answered questions all the time, so it takes a while until they count.
            return []
        }
        if let outage = server.state.outage {
            news.append(.serverAnswers(outage))
            server.state.outage = nil
            suspects = []
        }
        server.breaker.answered()
        announce()
        return news
    }

    /// - Parameters:
    ///   - isCostly: whether it took a caller's time to find out.
    ///   - attempt: that has shown it; nil if it was a question.
    mutating func failed(_ error: StorageError, isCostly: Bool, _ attempt: Attempt?) -> [News] {
        defer { announce() }
        guard let attempt, error.code == .timedOut else {
            return serverFailed(error, isCostly: isCostly, trial: attempt.flatMap { $0.isOfExport ? nil : $0.trial })
        }
        var news: [News] = []
        let isFirst = exports[attempt.export] == nil
        if isFirst { suspects.insert(attempt.export) }
        if !isFirst || exports.count < Self.mostExports {
            var contact = exports[attempt.export] ?? Contact(firstPause: firstPause)
            contact.state.note(error)
            contact.breaker.failed(isCostly: isCostly, trial: attempt.isOfExport ? attempt.trial : nil, now: .now)
            exports[attempt.export] = contact
            if isFirst { news.append(.exportHangs) }
        }
        if suspects.count > 1 && isFirst || server.state.outage != nil && !attempt.isOfExport {
            news += serverFailed(error, isCostly: isCostly, trial: attempt.isOfExport ? nil : attempt.trial)
        }
        return news
    }

    private mutating func serverFailed(_ error: StorageError, isCostly: Bool, trial: Int?) -> [News] {
        let isNew = server.state.outage == nil
        server.state.note(error)
        server.breaker.failed(isCostly: isCostly, trial: trial, now: .now)
        return isNew ? [.serverIsAway] : []
    }
}

extension ServerState {
    fileprivate mutating func note(_ error: StorageError) {
        let now = ContinuousClock.now
        var outage =
            self.outage ?? Outage(since: timestamp(), began: now, code: error.code, reason: "", lastFailed: now, failures: 0)
        outage.code = error.code
        outage.reason = String(decoding: error.reason.utf8.prefix(ServerStates.longestReason), as: UTF8.self)
        outage.lastFailed = now
        outage.failures = min(outage.failures + 1, 1_000_000)
        self.outage = outage
    }
}
