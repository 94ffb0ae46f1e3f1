// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import SystemPackage

/// A connection to a UNIX stream socket, for blocking threads: each wait has a deadline and can be cancelled. unix(7).
public final class LocalStream: Sendable {
    private let descriptor: CInt
    private let path: String

    /// - Parameter path: at most 107 bytes.
    /// - Throws: `SystemError` of socket(2) or connect(2), such as `ENOENT`, `ECONNREFUSED`, or `EAGAIN` if too many wait there.
    public init(connectingTo path: FilePath) throws(SystemError) {
        let address = try UnixSocketAddress(of: path, for: "connect")
        let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = try systemCall("socket", on: path.string) { socket(AF_UNIX, type, 0) }
        do throws(SystemError) {
            try systemCall("connect", on: path.string) { address.withSocketAddress { connect(descriptor, $0, $1) } }
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.path = path.string
    }

    deinit { Glibc.close(descriptor) }

    /// Sends all of it.
    ///
    /// - Throws: `SystemError`: `ETIMEDOUT` after the deadline, `ECANCELED` after the cancellation, `EPIPE` if the other end is closed.
    public func send(_ bytes: [UInt8], until deadline: Deadline, cancellation: Cancellation) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            try wait(for: .writable, until: deadline, cancellation)
            do throws(SystemError) {
                sent += try systemCall("send", on: path) {
                    bytes.withUnsafeBytes {
                        Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, CInt(MSG_NOSIGNAL))
                    }
                }
            } catch  where error.errno == .resourceTemporarilyUnavailable {
                continue
            }
        }
    }

    /// Waits for bytes.
    ///
    /// - Parameter deadline: nil waits until the cancellation.
    /// - Returns: some of what has come, at most 4 KiB; empty when the other end has closed.
    /// - Throws: `SystemError`: `ETIMEDOUT` after the deadline, `ECANCELED` after the cancellation.
    public func receive(until deadline: Deadline?, cancellation: Cancellation) throws(SystemError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4 << 10)
        while true {
            try wait(for: .readable, until: deadline, cancellation)
            do throws(SystemError) {
                let count = try systemCall("recv", on: path) { recv(descriptor, &buffer, buffer.count, 0) }
                return Array(buffer[..<count])
            } catch  where error.errno == .resourceTemporarilyUnavailable {
                continue
            }
        }
    }

    private func wait(for events: Poll.Events, until deadline: Deadline?, _ cancellation: Cancellation) throws(SystemError) {
        var poll = Poll()
        poll.add(descriptor, for: events)
        let cancelled = poll.add(cancellation.descriptor.rawValue)
        if !poll.wait(until: deadline) { throw SystemError("poll", .timedOut, on: path) }
        if poll.hasCome(at: cancelled) { throw SystemError("poll", .canceled, on: path) }
    }
}

extension Cancellation {
    /// Waits that long, or until the cancellation. Blocks.
    ///
    /// - Returns: false if it was cancelled.
    public func sleep(for duration: Duration) -> Bool {
        !Poll.wait(for: descriptor.rawValue, until: Deadline(after: duration)) && !isCancelled
    }
}
