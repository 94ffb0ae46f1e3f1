// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// A connection as a client, of the UNIX or an internet family, whose calls never wait longer than a deadline.
///
/// Closed when its owner lets go of it. Nothing here raises SIGPIPE, and no program started later inherits it.
public struct StreamSocket: ~Copyable {
    let descriptor: CInt
    private let operand: String

    private init(family: CInt, operand: String) throws(SystemError) {
        let type = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = try systemCall("socket", on: operand) { socket(family, type, 0) }
        self.operand = operand
    }

    deinit { Glibc.close(descriptor) }

    /// Connects to a UNIX socket. unix(7).
    ///
    /// - Parameter path: of any length. sockaddr_un has room for 107 bytes; a longer one is opened with O_PATH, and
    ///   connected to by the descriptor's name under /proc.
    /// - Throws: `SystemError`; `ETIMEDOUT` if its queue of connections stays full until the deadline, `EINVAL` for a NUL in the path.
    public static func connect(toUnixSocket path: String, by deadline: Deadline) throws(SystemError) -> StreamSocket {
        if path.utf8.contains(0) { throw SystemError("connect", .invalidArgument, on: "a path with a NUL byte in it") }
        let socket = try StreamSocket(family: AF_UNIX, operand: path)
        if path.utf8.count <= UnixSocketAddress.longestPath {
            try socket.connect(to: UnixSocketAddress(of: FilePath(path), for: "connect"), by: deadline)
            return socket
        }
        let file = try systemCall("open", on: path) { open(path, CLINUX_O_PATH | O_CLOEXEC) }
        defer { Glibc.close(file) }
        try socket.connect(to: UnixSocketAddress(of: FilePath("/proc/self/fd/\(file)"), for: "connect"), by: deadline)
        return socket
    }

    /// Connects by TCP, without Nagle's delay. tcp(7).
    ///
    /// - Throws: `SystemError`; `ETIMEDOUT` at the deadline.
    public static func connect(to address: InternetAddress, port: UInt16, operand: String, by deadline: Deadline) throws(SystemError)
        -> StreamSocket
    {
        let socket = try StreamSocket(family: address.family, operand: operand)
        var on: CInt = 1
        setsockopt(socket.descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
        do throws(SystemError) {
            try systemCall("connect", on: operand) { address.withSocketAddress(port: port) { Glibc.connect(socket.descriptor, $0, $1) } }
            return socket
        } catch  where error.errno == .nowInProgress {
            guard socket.wait(for: .sending, by: deadline) else { throw SystemError("connect", .timedOut, on: operand) }
        }
        var code: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        getsockopt(socket.descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        if code != 0 { throw SystemError("connect", Errno(rawValue: code), on: operand) }
        return socket
    }

    private borrowing func connect(to address: UnixSocketAddress, by deadline: Deadline) throws(SystemError) {
        do throws(SystemError) {
            try connectOnce(address)
            return
        } catch  where error.errno == .resourceTemporarilyUnavailable {
            // Its queue is full, and poll(2) does not tell when there is room. Only a blocking connect(2) waits for that.
        }
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK)
        defer { _ = fcntl(descriptor, F_SETFL, flags) }
        while !deadline.hasPassed {
            let milliseconds = max(1, Int(deadline.pollTimeout))
            var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            do throws(SystemError) {
                try connectOnce(address)
                return
            } catch  where error.errno == .resourceTemporarilyUnavailable || error.errno == .interrupted {
                continue
            }
        }
        throw SystemError("connect", .timedOut, on: operand)
    }

    private borrowing func connectOnce(_ address: UnixSocketAddress) throws(SystemError) {
        let result = address.withSocketAddress { Glibc.connect(descriptor, $0, $1) }
        // Not retried here: after a signal the remaining time would be counted from the start.
        if result < 0 { throw SystemError("connect", .current, on: operand) }
    }

    public enum Direction: Sendable { case sending, receiving }

    /// Waits until a call of that direction would not block, or has failed for good.
    ///
    /// - Returns: false if the deadline passed first.
    public borrowing func wait(for direction: Direction, by deadline: Deadline) -> Bool {
        Poll.wait(for: descriptor, direction == .sending ? .writable : .readable, until: deadline)
    }

    /// Sends what there is room for. send(2) with MSG_NOSIGNAL.
    ///
    /// - Returns: how many bytes were taken; nil if none could be without waiting.
    public borrowing func send(_ bytes: ArraySlice<UInt8>) throws(SystemError) -> Int? {
        do throws(SystemError) {
            return try systemCall("send", on: operand) {
                bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            }
        } catch  where error.errno == .resourceTemporarilyUnavailable {
            return nil
        }
    }

    /// Receives what is there into the start of `buffer`. recv(2).
    ///
    /// - Returns: how many bytes, 0 at the end of what the peer sends; nil if nothing is there yet.
    public borrowing func receive(into buffer: inout [UInt8]) throws(SystemError) -> Int? {
        do throws(SystemError) {
            return try systemCall("recv", on: operand) { Glibc.recv(descriptor, &buffer, buffer.count, 0) }
        } catch  where error.errno == .resourceTemporarilyUnavailable {
            return nil
        }
    }
}
