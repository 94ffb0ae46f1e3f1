// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import Synchronization

/// Runs calls that may block in the kernel as ``BlockingThread`` does, on threads that wait for a while for more work afterwards.
///
/// There are as many threads as there is work at a time, so work that hangs holds up nothing else. What is saved is making and
/// ending a thread for each of many short calls: a tenth of what 64 unmounts at once cost.
public final class KeptThreads: Sendable {
    private let name: String
    private let patience: Duration
    /// The threads that wait for work; the one that waits longest is first.
    private let waiting = Mutex<[Worker]>([])

    /// - Parameters:
    ///   - name: as in ``BlockingThread/start(named:_:)``.
    ///   - patience: how long a thread without work is kept.
    public init(named name: String, patience: Duration = .seconds(1)) {
        self.name = name
        self.patience = patience
    }

    /// Runs `body` on a thread that does nothing else meanwhile, and awaits its result. `body` is not interrupted when the task is
    /// cancelled.
    ///
    /// - Throws: what `body` throws, or `SystemError` of pthread_create(3).
    public func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            do throws(SystemError) {
                try start { continuation.resume(with: Result { try body() }) }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    private func start(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
        // The last to have worked has its stack in the caches.
        if let worker = waiting.withLock({ $0.popLast() }) { return worker.give(body) }
        try BlockingThread.start(named: name) { [self] in
            body()
            let worker = Worker()
            while let next = nextWork(of: worker) { next() }
        }
    }

    /// - Returns: nil if there is none for so long that the thread may end.
    private func nextWork(of worker: Worker) -> (@Sendable () -> Void)? {
        waiting.withLock { $0.append(worker) }
        if let work = worker.take(until: Deadline(after: patience)) { return work }
        let isForgotten = waiting.withLock { workers in
            let count = workers.count
            workers.removeAll { $0 === worker }
            return workers.count < count
        }
        // One that is not in the list any more is being given work at this moment.
        return isForgotten ? nil : worker.take(until: nil)
    }

    /// A thread, seen from those who have work for it.
    private final class Worker: @unchecked Sendable {
        // @unchecked: the work is written before the semaphore is posted, and read after it was waited for.
        private let bell = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        private var work: (@Sendable () -> Void)?

        init() { sem_init(bell, 0, 0) }

        deinit {
            sem_destroy(bell)
            bell.deallocate()
        }

        func give(_ work: @escaping @Sendable () -> Void) {
            self.work = work
            sem_post(bell)
        }

        /// - Parameter end: nil to wait until there is work.
        func take(until end: Deadline?) -> (@Sendable () -> Void)? {
            guard CLinux_wait_for_semaphore(bell, end?.pollTimeout ?? -1) == 0 else { return nil }
            defer { work = nil }
            return work
        }
    }
}
