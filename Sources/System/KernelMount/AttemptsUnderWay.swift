// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Synchronization

/// The attempts that run, by which one that keeps others waiting in the kernel is found and ended.
///
/// One server that takes a connection and then says nothing would else hold up mounts from all others until its own deadline.
final class AttemptsUnderWay: Sendable {
    private struct Attempt: Sendable {
        let server: String
        /// Since when it has not waited for others.
        var busySince: ContinuousClock.Instant
        var isWaitingForOthers = false
        var hasWaitedForOthers = false
    }

    private struct Table: Sendable {
        var attempts: [Int: Attempt] = [:]
        var count = 0
    }

    private let table = Mutex(Table())
    /// For how long an attempt may keep those at other servers waiting: a server that is well needs some milliseconds for what they wait
    /// for.
    private let patience: Duration
    private let period: Duration
    private let kernelFunction: @Sendable (CInt) -> String?

    /// - Parameters:
    ///   - period: between two looks at an attempt.
    ///   - kernelFunction: the one in which the process with this id waits.
    init(
        patience: Duration = .seconds(3), period: Duration = .milliseconds(500),
        kernelFunction: @escaping @Sendable (CInt) -> String? = { LinuxSystem.kernelFunction(inWhich: $0) }
    ) {
        self.patience = patience
        self.period = period
        self.kernelFunction = kernelFunction
    }

    /// Runs `body`, which is one attempt; the watch that it is given ends the attempt if those at other servers wait for it.
    ///
    /// - Parameter contention: nil if attempts of this kind do not wait for one another; the watch is nil then.
    func during<Value>(
        _ contention: MountPlan.Contention?, _ body: (SequenceWatch?) throws(AttemptFailure) -> Value
    ) throws(AttemptFailure) -> Value {
        guard let contention else { return try body(nil) }
        let number = table.withLock { table in
            table.count += 1
            table.attempts[table.count] = Attempt(server: contention.server, busySince: .now)
            return table.count
        }
        defer { table.withLock { _ = $0.attempts.removeValue(forKey: number) } }
        let watch = SequenceWatch(period: period) { process in
            let isWaiting = self.kernelFunction(process).map(contention.waitingFunctions.contains) ?? false
            return self.mayGoOn(number, isWaiting: isWaiting)
        }
        do throws(AttemptFailure) { return try body(watch) } catch {
            var failure = error
            failure.wasHeldUp = failure.end == .deadline && isHeldUp(number)
            throw failure
        }
    }

    /// Whether an attempt has had no time for its own server, because those at others were in its way.
    private func isHeldUp(_ number: Int) -> Bool {
        table.withLock { table in
            guard let attempt = table.attempts[number], attempt.hasWaitedForOthers else { return false }
            guard attempt.isWaitingForOthers else { return ContinuousClock.now - attempt.busySince < patience }
            // It may have waited for one at its own server. That one is then told what the server does.
            let busy = table.attempts.values.filter { !$0.isWaitingForOthers }
            return busy.isEmpty || busy.contains { $0.server != attempt.server }
        }
    }

    private func mayGoOn(_ number: Int, isWaiting: Bool) -> Bool {
        table.withLock { table in
            let now = ContinuousClock.now
            table.attempts[number]?.isWaitingForOthers = isWaiting
            if isWaiting {
                table.attempts[number]?.busySince = now
                table.attempts[number]?.hasWaitedForOthers = true
            }
            guard let attempt = table.attempts[number], !isWaiting, now - attempt.busySince >= patience else { return true }
            // They can wait for one only, and that is rather the one that has been busy for longest.
            let others = table.attempts.values.filter { $0.server != attempt.server }
            return others.contains { !$0.isWaitingForOthers && $0.busySince < attempt.busySince }
                || !others.contains { $0.isWaitingForOthers }
        }
    }
}
