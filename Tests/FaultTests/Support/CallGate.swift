// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Glibc
import Synchronization

/// Stands between an engine and the daemon's socket, counts what passes, and at the nth time kills processes before it hands on.
final class CallGate: Sendable {
    /// What passes: a request on its way to the daemon, or the answer on its way back.
    struct Passage: Sendable, CustomStringConvertible {
        var method: String
        var isAnswer: Bool
        var description: String { (isAnswer ? "after " : "before ") + method }
    }

    private struct Watch {
        var passages: [Passage] = []
        /// At which of them something happens, from 0; nil for none.
        var place: Int?
        var victims: [pid_t] = []
        var hit: Passage?
    }

    private final class State: Sendable {
        let watch = Mutex(Watch())

        /// - Returns: false if somebody was killed at it.
        func pass(_ passage: Passage) -> Bool {
            watch.withLock { watch in
                defer { watch.passages.append(passage) }
                guard watch.place == watch.passages.count else { return true }
                for victim in watch.victims { kill(victim, SIGKILL) }
                watch.hit = passage
                return false
            }
        }
    }

    private let server: ConnectionServer
    private let state: State

    /// - Parameter upstream: where the daemon listens when a call comes.
    init(at path: String, to upstream: String) throws {
        let state = State()
        self.state = state
        server = try ConnectionServer(at: path) { client in
            guard let daemon = UnixSocket.connection(to: upstream) else { return }
            defer { close(daemon) }
            var (front, back) = (HTTPConnection(client), HTTPConnection(daemon))
            while let request = front.next() {
                // What was killed gets no more, though its socket may not be closed yet.
                guard state.pass(Passage(method: request.method, isAnswer: false)), back.write(request.bytes), let answer = back.next(),
                    state.pass(Passage(method: request.method, isAnswer: true)), front.write(answer.bytes)
                else { return }
            }
        }
    }

    /// Counts from the beginning.
    ///
    /// - Parameters:
    ///   - place: the passage at which the victims are killed, from 0; nil only counts.
    func arm(at place: Int?, killing victims: [pid_t]) { state.watch.withLock { $0 = Watch(place: place, victims: victims) } }

    /// What has passed since, and at what the victims were killed.
    func disarm() -> (passages: [Passage], hit: Passage?) {
        state.watch.withLock { watch in
            watch.place = nil
            return (watch.passages, watch.hit)
        }
    }

    var isHit: Bool { state.watch.withLock { $0.hit != nil } }

    func end() { server.end() }
}
