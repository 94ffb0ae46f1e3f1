// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem

/// The plugin that is verified: makes the calls, and remembers how each went.
final class Subject {
    let settings: VerificationSettings
    private(set) var records: [CallRecord] = []
    /// The process that answered last.
    private(set) var process: CInt?
    /// Methods that did not answer. They are not waited for a second time.
    private var silent: Set<String> = []
    private var count = 0
    /// Whether no new container's id may be like one of an earlier verification.
    private let prefix: String

    init(_ settings: VerificationSettings) {
        self.settings = settings
        prefix = String(UInt64.random(in: 1 << 60 ... .max), radix: 16)
    }

    /// Longer than the deadline, so that an answer that comes late can be told from none.
    var patience: Duration { settings.deadline * 3 }

    /// The id of a container that was not there before, of the form of Docker's.
    func newID() -> String {
        count += 1
        let end = String(count, radix: 16)
        return prefix + String(repeating: "0", count: 64 - prefix.utf8.count - end.utf8.count) + end
    }

    /// One call.
    ///
    /// - Throws: `RuleEnd`: broken if the plugin is gone or closes the connection, not tried if that is the matter of another rule.
    func call(_ path: String, _ body: [UInt8], length: Int? = nil) throws(RuleEnd) -> RawAnswer {
        let started = try start(path, body, length: length)
        return try finish(started)
    }

    /// A call that is under way.
    struct Started {
        let call: RawCall
        let path: String
        let start: ContinuousClock.Instant
    }

    func start(_ path: String, _ body: [UInt8], length: Int? = nil) throws(RuleEnd) -> Started {
        if silent.contains(path) { throw unanswered(path) }
        let start = ContinuousClock.now
        do throws(CallFailure) {
            let call = try RawCall(path, body, to: settings.socket, length: length, within: patience)
            return Started(call: call, path: path, start: start)
        } catch {
            throw end(of: path, error, since: start)
        }
    }

    func finish(_ started: Started) throws(RuleEnd) -> RawAnswer {
        do throws(CallFailure) {
            let answer = try started.call.answer()
            var record = CallRecord(method: Self.method(started.path), duration: .now - started.start)
            record.note(answer)
            records.append(record)
            if let sender = answer.process { process = sender }
            return answer
        } catch {
            throw end(of: started.path, error, since: started.start)
        }
    }

    /// Whether somebody takes connections.
    func isThere(by deadline: Deadline) -> Bool {
        (try? StreamSocket.connect(toUnixSocket: settings.socket, by: deadline)) != nil
    }

    private func end(of path: String, _ failure: CallFailure, since start: ContinuousClock.Instant) -> RuleEnd {
        var record = CallRecord(method: Self.method(path), duration: .now - start)
        switch failure {
        case .absent(let why): return .broken("\(record.method): the plugin is gone: \(why)")
        case .closed: return .broken("\(record.method): it closed the connection without an answer")
        case .late:
            record.isLate = true
            records.append(record)
            silent.insert(path)
            return unanswered(path)
        case .garbled(let why):
            record.transportFault = why
            records.append(record)
            return .notTried("\(record.method): the answer cannot be read, see \(VerificationRule.transport.rawValue)")
        }
    }

    private func unanswered(_ path: String) -> RuleEnd {
        .notTried("\(Self.method(path)): no answer came within \(patience), see \(VerificationRule.deadline.rawValue)")
    }

    private static func method(_ path: String) -> String { String(path.dropFirst()) }
}
