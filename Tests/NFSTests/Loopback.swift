// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// A server of this process on a loopback address, with the manners of a good or a bad NFS server.
final class Loopback: Sendable {
    enum Manners: Sendable, Equatable {
        /// Replies to each call.
        case answers
        /// Replies to each call with that port, as an rpcbind does.
        case names(UInt16)
        /// Replies that the call is denied, in two parts.
        case refuses
        /// Takes the connection and says nothing.
        case mute
        /// Takes the connection and closes it.
        case hangsUp
        /// Closes the first connection and replies on those after it, as a server that is just starting.
        case answersTheSecond
        /// Says something that is no reply.
        case babbles
        /// Sends zeros for as long as they are taken.
        case floods
        /// Does not even take the connection: its queue is full.
        case silent
    }

    let address: String
    let port: UInt16
    private let listener: CInt
    private let stop: Cancellation
    private let ended: Cancellation
    private let fillers: [CInt]
    private let seen = Mutex<[String]>([])

    /// Where callers came from.
    var callers: [String] { seen.withLock { $0 } }

    init(_ manners: Manners, at address: String = "127.0.0.1", port: UInt16 = 0) throws {
        self.address = address
        stop = try Cancellation()
        ended = try Cancellation()
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        try #require(getaddrinfo(address, String(port), &hints, &list) == 0)
        defer { freeaddrinfo(list) }
        let entry = try #require(list?.pointee)
        let listener = socket(entry.ai_family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var one: CInt = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
        try #require(bind(listener, entry.ai_addr, entry.ai_addrlen) == 0)
        try #require(listen(listener, manners == .silent ? 0 : 16) == 0)
        var storage = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        self.listener = listener
        self.port = UInt16(bigEndian: storage.sin_port)
        var fillers: [CInt] = []
        if manners == .silent {
            // With the queue full the kernel drops what asks for a connection.
            for _ in 0..<4 {
                let filler = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
                _ = withUnsafePointer(to: storage) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(filler, $0, length) }
                }
                fillers.append(filler)
            }
        }
        self.fillers = fillers
        if manners != .silent { try BlockingThread.start(named: "loopback") { [self] in serve(manners) } }
    }

    /// Waits until so many have called.
    func waitForCallers(_ count: Int) async throws {
        let limit = Deadline(after: .seconds(200))
        try await blocking { while self.callers.count < count && !limit.hasPassed { sched_yield() } }
        try #require(callers.count >= count)
    }

    /// Must be called at the end. Nobody listens at the port afterwards.
    func close() {
        stop.cancel()
        if fillers.isEmpty { Poll.wait(for: ended.descriptor.rawValue, until: Deadline(after: .seconds(100))) }
        for filler in fillers { Glibc.close(filler) }
        if !fillers.isEmpty { Glibc.close(listener) }
    }

    private func serve(_ manners: Manners) {
        var connections: [CInt] = []
        defer {
            for descriptor in connections + [listener] { Glibc.close(descriptor) }
            ended.cancel()
        }
        while true {
            let watched = [stop.descriptor.rawValue, listener] + connections
            var requests = watched.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&requests, nfds_t(requests.count), -1) > 0, requests[0].revents == 0 else { return }
            for request in requests.dropFirst(2) where request.revents != 0 {
                if !reply(on: request.fd, manners) {
                    Glibc.close(request.fd)
                    connections.removeAll { $0 == request.fd }
                }
            }
            if requests[1].revents != 0, let connection = takeConnection() {
                if manners == .hangsUp || manners == .answersTheSecond && callers.count == 1 {
                    Glibc.close(connection)
                } else {
                    connections.append(connection)
                }
                if manners == .floods {
                    let zeros = [UInt8](repeating: 0, count: 1 << 20)
                    send(connection, zeros, zeros.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
                }
                if manners == .babbles { send(connection, "SSH-2.0-OpenSSH_9.2\r\n", 21, CInt(MSG_NOSIGNAL)) }
            }
        }
    }

    private func takeConnection() -> CInt? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let connection = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> CInt in
                let connection = accept(listener, address, &length)
                var host = [CChar](repeating: 0, count: 64)
                getnameinfo(address, length, &host, 64, nil, 0, NI_NUMERICHOST)
                seen.withLock { $0.append(String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)) }
                return connection
            }
        }
        return connection < 0 ? nil : connection
    }

    private func reply(on connection: CInt, _ manners: Manners) -> Bool {
        var call = [UInt8](repeating: 0, count: 256)
        let count = recv(connection, &call, call.count, 0)
        guard count >= 44 else { return false }
        let id = call[4..<8]
        let zero = [UInt8](repeating: 0, count: 4)
        switch manners {
        case .answers, .answersTheSecond:
            let reply = [0x80, 0, 0, 24] + id + [0, 0, 0, 1] + zero + zero + zero + zero
            send(connection, reply, reply.count, CInt(MSG_NOSIGNAL))
        case .refuses:
            let reply = [0x80, 0, 0, 20] + id + [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]
            send(connection, reply, 6, CInt(MSG_NOSIGNAL))
            send(connection, Array(reply.dropFirst(6)), reply.count - 6, CInt(MSG_NOSIGNAL))
        case .names(let port):
            let word = [0, 0, UInt8(port >> 8), UInt8(port & 255)]
            let reply = [0x80, 0, 0, 28] + id + [0, 0, 0, 1] + zero + zero + zero + zero + word
            send(connection, reply, reply.count, CInt(MSG_NOSIGNAL))
        case .mute, .hangsUp, .babbles, .floods, .silent: break
        }
        return true
    }
}

/// A port of the loopback addresses at which nobody listens, as far as one can know.
func closedPort() throws -> UInt16 {
    let server = try Loopback(.silent)
    defer { server.close() }
    return server.port
}
