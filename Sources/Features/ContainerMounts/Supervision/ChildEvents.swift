// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// The signals that a supervisor gets, and how its children have ended.
final class ChildEvents {
    let signals: SignalQueue
    /// Children that have ended and whose end no caller has asked for yet.
    private var ended: [(process: Int32, end: ProcessEnd)] = []

    init(_ signals: SignalQueue) { self.signals = signals }

    /// How a child has ended; nil while it runs. The ends of other children are kept for later calls.
    func end(of child: Int32) -> ProcessEnd? {
        while let one = ChildProcess.reap() { ended.append(one) }
        return ended.first { $0.process == child }?.end
    }

    /// Forgets the ends that are kept. For when only one child is left to wait for.
    func forgetEnded() { ended = [] }
}
