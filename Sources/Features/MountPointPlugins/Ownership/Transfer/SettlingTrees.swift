// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import Logging
import Synchronization

/// Trees that were given back and are not on the disk yet.
///
/// A container's end does not wait for the disk, where others may have written much: until all is there the transfer is kept, and after a
/// loss of power the tree is given back once more.
final class SettlingTrees: Sendable {
    private struct State {
        var numbers: Set<Int> = []
        /// Nil in a program that ends when it has done what it was asked for.
        var logger: Logger?
    }

    private let state = Mutex(State())

    /// Of the transfers.
    var numbers: Set<Int> { state.withLock { $0.numbers } }

    /// From now on trees settle while this process goes on.
    func begin(_ logger: Logger) { state.withLock { $0.logger = logger } }

    /// Has `body` wait for the disk: on a thread of its own, or here if nothing goes on afterwards or there is no thread.
    ///
    /// - Parameter number: of the transfer.
    func settle(_ number: Int, _ body: @escaping @Sendable () throws(PluginError) -> Void) throws(PluginError) {
        guard let logger = state.withLock({ $0.logger }) else { return try body() }
        state.withLock { _ = $0.numbers.insert(number) }
        let work: @Sendable () -> Void = { [self] in
            do throws(PluginError) { try body() } catch { logger.error("\(error)") }
            state.withLock { _ = $0.numbers.remove(number) }
        }
        do throws(SystemError) { try BlockingThread.start(named: "settle", work) } catch { work() }
    }

    /// Returns when there are none any more, or the deadline has passed.
    func finish(_ deadline: Deadline) {
        while !numbers.isEmpty && !deadline.hasPassed { usleep(2_000) }
    }
}
