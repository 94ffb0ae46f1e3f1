// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import Synchronization
import SystemPackage

/// How a ``SystemCallSequence`` ended.
public enum SequenceEnd: Sendable {
    /// Every call that was to be made has returned.
    case finished
    /// The deadline passed, or the cancellation came; the process was killed and is gone.
    case killed(SequenceKillReason)
    /// Killed, but the kernel has not let go of the process: nothing may touch what it works on until it has.
    case stuck(StuckSequence)
}

public enum SequenceKillReason: Sendable {
    case deadline, cancelled
    /// Its ``SequenceWatch`` said so.
    case unwanted
    /// Another process killed it: an administrator's, or the kernel because memory ran out.
    case fromOutside
}

/// Looks at the process of a sequence now and then while it runs, and may end it.
public struct SequenceWatch {
    /// Between two looks, and before the first one.
    public var period: Duration
    /// Whether the process with this id may go on. Asked for the last time at the deadline, when the answer changes nothing.
    public var mayGoOn: (CInt) -> Bool

    public init(period: Duration, mayGoOn: @escaping (CInt) -> Bool) {
        self.period = period
        self.mayGoOn = mayGoOn
    }
}

/// A killed process that the kernel still holds inside a system call.
public final class StuckSequence: Sendable {
    private let sequence: SystemCallSequence
    private let descriptor: CInt
    public let process: CInt
    public let reason: SequenceKillReason
    private let isGone = Atomic(false)

    init(_ sequence: SystemCallSequence, descriptor: CInt, process: CInt, reason: SequenceKillReason) {
        self.sequence = sequence
        self.descriptor = descriptor
        self.process = process
        self.reason = reason
    }

    /// The call that it is stuck in.
    public var call: String { sequence.interruptedCall ?? "exit" }

    /// Blocks until the kernel has let go; without limit, so only on a thread kept for it.
    public func waitUntilGone() {
        if isGone.exchange(true, ordering: .acquiringAndReleasing) { return }
        Self.waitAndReap(descriptor)
    }

    /// The process still works in the memory of the sequence, so both are left to a thread of their own.
    deinit {
        if isGone.load(ordering: .acquiring) { return }
        do throws(SystemError) {
            try BlockingThread.start(named: "reap-sequence") { [sequence, descriptor] in
                Self.waitAndReap(descriptor)
                withExtendedLifetime(sequence) {}
            }
        } catch {
            // Memory that is lost is better than memory that is freed while it is written to.
            _ = Unmanaged.passRetained(sequence)
        }
    }

    private static func waitAndReap(_ descriptor: CInt) {
        Poll.wait(for: descriptor, until: nil)
        reap(descriptor)
    }
}

extension SystemCallSequence {
    /// How long a killed process may take to go before it counts as stuck.
    private static let killGrace = Duration.seconds(2)

    /// Makes the calls in a process of their own and blocks until they are made, the deadline passes, the cancellation comes or the watch
    /// ends it.
    ///
    /// - Throws: `SystemError` if the process cannot be started. What the calls themselves answered is in
    ///   ``result(of:)`` and ``failedCall``.
    public func run(
        until deadline: Deadline, cancellation: Cancellation? = nil, watch: SequenceWatch? = nil
    ) throws(SystemError) -> SequenceEnd {
        let (process, descriptor) = try start()
        guard let reason = reasonToKill(process, descriptor, deadline, cancellation, watch) else {
            reap(descriptor)
            return hasFinished ? .finished : .killed(.fromOutside)
        }
        CLinux_pidfd_send_signal(descriptor, SIGKILL)
        if !Poll.wait(for: descriptor, until: Deadline(after: Self.killGrace)) {
            return .stuck(StuckSequence(self, descriptor: descriptor, process: process, reason: reason))
        }
        reap(descriptor)
        return hasFinished ? .finished : .killed(reason)
    }
}

/// Waits for a process's end.
///
/// - Returns: why it is to be killed; nil if it has ended by itself.
private func reasonToKill(
    _ process: CInt, _ descriptor: CInt, _ deadline: Deadline, _ cancellation: Cancellation?, _ watch: SequenceWatch?
) -> SequenceKillReason? {
    var poll = Poll()
    let end = poll.add(descriptor)
    let cancelled = poll.add(cancellation?.descriptor.rawValue)
    while true {
        let look = watch.map { Deadline(after: $0.period) }
        if poll.wait(until: look.map(deadline.earlier) ?? deadline) {
            if poll.hasCome(at: end) { return nil }
            if poll.hasCome(at: cancelled) { return .cancelled }
        } else if deadline.hasPassed {
            _ = watch?.mayGoOn(process)
            return .deadline
        } else if watch?.mayGoOn(process) == false {
            return .unwanted
        }
    }
}

/// Takes the exit status, so that no zombie stays, and closes the pidfd.
private func reap(_ descriptor: CInt) {
    var status: CInt = 0
    CLinux_wait_pidfd(descriptor, &status)
    Glibc.close(descriptor)
}
