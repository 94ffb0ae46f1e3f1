// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Synchronization

/// One at a time for each volume, first come first served; volumes do not wait for one another.
package final class VolumeLocks: Sendable {
    /// How a wait for a lock has ended.
    enum Turn {
        case acquired
        /// The task was cancelled while it waited.
        case cancelled
        /// So many wait already that this one was not let in.
        case refused
    }

    /// More than any engine has calls for one volume at a time. Each costs memory, also after its caller has gone, since an unmount is done
    /// all the same.
    static let mostWaiters = 1_000

    private struct Waiter {
        var ticket: Int
        var continuation: CheckedContinuation<Turn, Never>
    }

    private struct State {
        /// A volume that is locked has an entry, which may be empty.
        var waiters: [VolumeName: [Waiter]] = [:]
        var tickets = 0
    }

    private let state = Mutex(State())

    /// Waits for the lock; it is held only if this returns ``Turn/acquired``.
    func acquire(_ name: VolumeName) async -> Turn {
        let ticket = state.withLock { state in
            state.tickets += 1
            return state.tickets
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Turn? = state.withLock { state in
                    guard let waiters = state.waiters[name] else {
                        state.waiters[name] = []
                        return .acquired
                    }
                    if Task.isCancelled { return .cancelled }
                    if waiters.count >= Self.mostWaiters { return .refused }
                    state.waiters[name]?.append(Waiter(ticket: ticket, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter: Waiter? = state.withLock { state in
                guard let index = state.waiters[name]?.firstIndex(where: { $0.ticket == ticket }) else { return nil }
                return state.waiters[name]?.remove(at: index)
            }
            waiter?.continuation.resume(returning: .cancelled)
        }
    }

    /// Acquires the lock only if it is free.
    package func acquireIfFree(_ name: VolumeName) -> Bool {
        state.withLock { state in
            guard state.waiters[name] == nil else { return false }
            state.waiters[name] = []
            return true
        }
    }

    package func release(_ name: VolumeName) {
        let next: Waiter? = state.withLock { state in
            if state.waiters[name]?.isEmpty == false { return state.waiters[name]?.removeFirst() }
            state.waiters[name] = nil
            return nil
        }
        next?.continuation.resume(returning: .acquired)
    }
}

extension VolumeLocks {
    /// Runs blocking work for one volume on a thread of its own, after all earlier work for the same volume.
    ///
    /// - Throws: `StorageError`: what the work throws, or that the caller has gone while this waited for its turn, or that too many wait.
    func exclusively<Value: Sendable>(
        _ name: VolumeName, _ body: @escaping @Sendable () throws -> Value
    ) async throws(StorageError) -> Value {
        switch await acquire(name) {
        case .acquired: break
        case .cancelled: throw StorageError(.cancelled, "given up because the caller has gone")
        case .refused:
            throw StorageError(
                .tooManyCalls, "too many calls wait for volume \(name) (\(Self.mostWaiters)); try again when they are done", mayPass: true)
        }
        defer { release(name) }
        do {
            return try await BlockingThread.run(named: "volume", body)
        } catch let error as StorageError {
            throw error
        } catch {
            throw StorageError(.local, "\(error)", cause: error)
        }
    }

    /// The same for work that can be ended early, as it is when the caller leaves.
    func exclusively<Value: Sendable>(
        _ name: VolumeName, _ body: @escaping @Sendable (Cancellation) throws -> Value
    ) async throws(StorageError) -> Value {
        let cancellation: Cancellation
        do throws(SystemError) { cancellation = try Cancellation() } catch {
            throw StorageError(.local, "volume \(name): \(error)", cause: error)
        }
        let result: Result<Value, StorageError> = await withTaskCancellationHandler {
            do throws(StorageError) {
                return .success(try await exclusively(name) { try body(cancellation) })
            } catch {
                return .failure(error)
            }
        } onCancel: {
            cancellation.cancel()
        }
        return try result.get()
    }
}
