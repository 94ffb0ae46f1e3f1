// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// Runs calls that may block in the kernel on threads of their own, never on the Swift pool or an event loop.
///
/// A thread for each call, not a pool: calls to a dead server can last for minutes, and must not use up what the calls
/// to other servers need. Creating one costs about 20 µs.
public enum BlockingThread {
    /// Stack of such a thread in bytes; mount work is shallow, and stacks are only touched as far as they are used.
    private static let stackSize = 512 * 1024

    /// Starts `body` on a new thread and returns at once.
    ///
    /// - Parameter name: shown by ps and gdb; 15 bytes at most count (pthread_setname_np(3)).
    /// - Throws: `SystemError` of pthread_create(3), such as `EAGAIN` when the process may have no more threads.
    public static func start(named name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let box = Unmanaged.passRetained(Box(name: name, body: body))
        let failure = CLinux_start_thread(
            { argument in
                guard let argument else { return nil }
                let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
                CLinux_name_thread(String(box.name.utf8.prefix(15)) ?? "blocking")
                box.body()
                return nil
            }, box.toOpaque(), stackSize)
        if failure != 0 {
            box.release()
            throw SystemError("pthread_create", .init(rawValue: failure), on: name)
        }
    }

    /// Runs `body` on a thread of its own and awaits its result. `body` is not interrupted when the task is cancelled:
    /// give it something to watch, such as a ``Cancellation``.
    public static func run<Value: Sendable>(
        named name: String, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            do throws(SystemError) {
                try start(named: name) { continuation.resume(with: Result { try body() }) }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    private final class Box: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
