// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import Synchronization
import TestSupport

/// Accepts connections, and serves each on a thread of its own, where the work may wait.
public final class ConnectionServer: Sendable {
    private struct State {
        var connections: Set<Int32> = []
        var hasEnded = false
    }

    private let listener: Int32
    private let work: @Sendable (Int32) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - listener: a socket that listens; this object closes it.
    ///   - work: what is done with a connection, which is closed afterwards.
    public init(on listener: Int32, _ work: @escaping @Sendable (Int32) -> Void) {
        self.listener = listener
        self.work = work
        Thread.detachNewThread { [self] in accept() }
    }

    /// Listens at the path from now on.
    public convenience init(at path: String, _ work: @escaping @Sendable (Int32) -> Void) throws {
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard UnixSocket.withAddress(path, { bind(listener, $0, $1) }) == 0, listen(listener, 64) == 0 else {
            throw Trouble("nothing listens at \(path): \(String(cString: strerror(errno)))")
        }
        self.init(on: listener, work)
    }

    /// Closes all that is open, and accepts nobody any more.
    public func end() {
        state.withLock { state in
            if state.hasEnded { return }
            state.hasEnded = true
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
            shutdown(listener, Int32(SHUT_RDWR))
        }
    }

    private func accept() {
        defer { close(listener) }
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            if connection < 0 {
                if errno == EINTR { continue }
                return
            }
            let isWanted = state.withLock { state in
                if state.hasEnded { return false }
                state.connections.insert(connection)
                return true
            }
            if isWanted { Thread.detachNewThread { [self] in serve(connection) } } else { close(connection) }
        }
    }

    private func serve(_ connection: Int32) {
        work(connection)
        // Not between end()'s look at the connections and its use of one: another may have the number by then.
        state.withLock { state in
            state.connections.remove(connection)
            close(connection)
        }
    }
}
