// SPDX-License-Identifier: AGPL-3.0-or-later

// Listens on a private host in the place of a plugin that the test's own process serves, which is outside: who listens is only known
// to processes of the same process id namespace. One process and one thread, as a small plugin has them.
//
// plugin-relay PLACE PLUGIN: at PLACE it listens; PLUGIN is the test's socket. There a connection begins with a line: `listening`
// on the first one, which ends the relay when it is closed, and then for each caller its process id.

import Glibc

func withAddress<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
}

func fail(_ what: String) -> Never {
    let line = Array("plugin-relay: \(what): \(String(cString: strerror(errno)))\n".utf8)
    write(2, line, line.count)
    exit(1)
}

func newSocket() -> Int32 { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }

func connection(to path: String, saying line: String) -> Int32? {
    let descriptor = newSocket()
    let greeting = Array("\(line)\n".utf8)
    guard withAddress(path, { connect(descriptor, $0, $1) }) == 0, write(descriptor, greeting, greeting.count) == greeting.count else {
        close(descriptor)
        return nil
    }
    return descriptor
}

func caller(of descriptor: Int32) -> Int32 {
    // struct ucred: process, user, group.
    var credentials: [Int32] = [0, 0, 0]
    var length = socklen_t(MemoryLayout<Int32>.size * credentials.count)
    getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length)
    return credentials[0]
}

/// Pairs of connections, each of which gets what comes from the other one.
struct Routes {
    private var others: [Int32: Int32] = [:]
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    var descriptors: [Int32] { Array(others.keys) }

    mutating func add(_ client: Int32, _ plugin: Int32) { (others[client], others[plugin]) = (plugin, client) }

    /// Moves on what can be read; if that is the end, closes both.
    mutating func move(from descriptor: Int32) {
        guard let other = others[descriptor] else { return }
        let count = read(descriptor, &buffer, buffer.count)
        var sent = 0
        while sent < count {
            let more = buffer.withUnsafeBytes { write(other, $0.baseAddress! + sent, count - sent) }
            if more <= 0 { break }
            sent += more
        }
        if count > 0 && sent == count { return }
        for end in [descriptor, other] {
            others[end] = nil
            close(end)
        }
    }
}

func serve(_ place: String, _ plugin: String) -> Never {
    let listener = newSocket()
    guard withAddress(place, { bind(listener, $0, $1) }) == 0, listen(listener, 64) == 0 else { fail(place) }
    guard let leash = connection(to: plugin, saying: "listening") else { fail(plugin) }
    var routes = Routes()
    while true {
        var requests = ([listener, leash] + routes.descriptors).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&requests, nfds_t(requests.count), -1) >= 0 else { continue }
        if requests[1].revents != 0 { exit(0) }
        if requests[0].revents != 0 {
            let client = accept(listener, nil, nil)
            if client >= 0, let connection = connection(to: plugin, saying: String(caller(of: client))) {
                routes.add(client, connection)
            } else {
                close(client)
            }
        }
        for request in requests.dropFirst(2) where request.revents != 0 { routes.move(from: request.fd) }
    }
}

signal(SIGPIPE, SIG_IGN)
guard CommandLine.arguments.count == 3 else { fail("PLACE and PLUGIN are wanted") }
serve(CommandLine.arguments[1], CommandLine.arguments[2])
