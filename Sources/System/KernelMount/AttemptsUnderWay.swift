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
        return try body(
            SequenceWatch(period: period) { process in
                let isWaiting = self.kernelFunction(process).map(contention.waitingFunctions.contains) ?? false
                return self.mayGoOn(number, isWaiting: isWaiting)
            })
    }

    private func mayGoOn(_ number: Int, isWaiting: Bool) -> Bool {
        table.withLock { table in
            let now = ContinuousClock.now
            table.attempts[number]?.isWaitingForOthers = isWaiting
            if isWaiting { table.attempts[number]?.busySince = now }
            guard let attempt = table.attempts[number], !isWaiting, now - attempt.busySince >= patience else { return true }
            // They can wait for one only, and that is rather the one that has been busy for longest.
            let others = table.attempts.values.filter { $0.server != attempt.server }
            return others.contains { !$0.isWaitingForOthers && $0.busySince < attempt.busySince }
                || !others.contains { $0.isWaitingForOthers }
        }
    }
}
