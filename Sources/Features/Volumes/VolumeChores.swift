// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import Synchronization

/// Small work on volumes that nobody waits for, such as removing the folder of one that has been unmounted.
///
/// All of it shares a thread, which begins after a pause: when many containers start or stop at once their calls go first, and the next
/// call for a volume often leaves nothing to do.
final class VolumeChores: Sendable {
    private struct Chore: Sendable {
        var name: VolumeName
        var body: @Sendable () -> Void
        /// Called in any case, also if the body could not be.
        var ended: @Sendable () -> Void
    }

    private struct State {
        var waiting: [Chore] = []
        var hasThread = false
    }

    /// Between what has come and the work, and before another try at a volume that is worked on.
    private static let pause = Duration.milliseconds(200)

    private let state = Mutex(State())
    private let locks: VolumeLocks
    private let logger: Logger

    init(_ locks: VolumeLocks, logger: Logger) {
        self.locks = locks
        self.logger = logger
    }

    /// Does something with a volume's lock held, some time later.
    func add(_ name: VolumeName, _ body: @escaping @Sendable () -> Void) { add(Chore(name: name, body: body, ended: {})) }

    /// The same, and waits until it is done.
    func run(_ name: VolumeName, _ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in add(Chore(name: name, body: body, ended: { continuation.resume() })) }
    }

    private func add(_ chore: Chore) {
        let needsThread = state.withLock { state in
            state.waiting.append(chore)
            defer { state.hasThread = true }
            return !state.hasThread
        }
        guard needsThread else { return }
        do throws(SystemError) { try BlockingThread.start(named: "volume-chores") { [self] in work() } } catch {
            let undone = state.withLock { state in
                defer { state = State() }
                return state.waiting
            }
            for chore in undone { chore.ended() }
            logger.error("\(error); what is left of \(undone.count) volumes' calls is tidied up by the next call or start")
        }
    }

    /// Does now what is left, but for volumes that are worked on. Blocks on local files.
    func doAll() { _ = doAll(isThread: false) }

    private func work() {
        repeat { Poll.wait(for: -1, until: Deadline(after: Self.pause)) } while doAll(isThread: true)
    }

    /// - Returns: false if there was nothing to do; the thread is to end then.
    private func doAll(isThread: Bool) -> Bool {
        let chores = state.withLock { state in
            if isThread, state.waiting.isEmpty { state.hasThread = false }
            defer { state.waiting = [] }
            return state.waiting
        }
        var postponed: [Chore] = []
        for chore in chores {
            guard locks.acquireIfFree(chore.name) else {
                postponed.append(chore)
                continue
            }
            chore.body()
            locks.release(chore.name)
            chore.ended()
        }
        state.withLock { $0.waiting.insert(contentsOf: postponed, at: 0) }
        return !chores.isEmpty
    }
}
