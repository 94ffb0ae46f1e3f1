// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import PluginClient
import Synchronization
import TestSupport

/// A plugin that does with each connection what a test says, on a thread each.
final class ScriptedPlugin: Sendable {
    typealias Script = @Sendable (PluginConnection) -> Void

    let endpoint: PluginEndpoint
    private let listener: CInt
    private let count = Mutex(0)
    private let paths = Mutex<[String]>([])

    /// On a UNIX socket.
    init(at path: String, backlog: CInt = 16, _ script: Script?) throws {
        unlink(path)
        let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        // A long path is bound through its folder, by a short name of it.
        let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
        defer { close(folder) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = path.utf8.count < 108 ? path : "/proc/self/fd/\(folder)/\((path as NSString).lastPathComponent)"
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard bound == 0, listen(listener, backlog) == 0 else { throw Trouble("bind \(path): \(String(cString: strerror(errno)))") }
        endpoint = PluginEndpoint(name: try PluginName("scripted"), address: .unix(path: path), foundAt: path)
        if let script { serve(script) }
    }

    /// On TCP, at 127.0.0.1 or ::1 and a port that is free.
    init(tcp isIPv6: Bool = false, _ script: @escaping Script) throws {
        listener = socket(isIPv6 ? AF_INET6 : AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var v4 = sockaddr_in()
        v4.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, "127.0.0.1", &v4.sin_addr)
        var v6 = sockaddr_in6()
        v6.sin6_family = sa_family_t(AF_INET6)
        inet_pton(AF_INET6, "::1", &v6.sin6_addr)
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { storage in
            if isIPv6 {
                withUnsafeBytes(of: v6) { storage.copyBytes(from: $0) }
            } else {
                withUnsafeBytes(of: v4) { storage.copyBytes(from: $0) }
            }
        }
        var length = socklen_t(isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
        let descriptor = self.listener
        let failed = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) != 0 || listen(descriptor, 16) != 0 || getsockname(descriptor, $0, &length) != 0
            }
        }
        if failed { throw Trouble("bind: \(String(cString: strerror(errno)))") }
        // The port lies at the same place for both families.
        let port = UInt16(bigEndian: withUnsafeBytes(of: storage) { $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self) })
        endpoint = PluginEndpoint(
            name: try PluginName("scripted"), address: .tcp(host: isIPv6 ? "::1" : "127.0.0.1", port: port),
            foundAt: "/etc/docker/plugins/scripted.spec")
        serve(script)
    }

    /// The listening socket, for those who share it.
    var descriptor: CInt { listener }

    /// Stops listening. Connections that are open go on.
    func stop() { shutdown(listener, CInt(SHUT_RDWR)) }

    deinit { close(listener) }

    /// Connections on which something was sent.
    var calls: Int { count.withLock { $0 } }
    /// The paths of requests that were read by ``PluginConnection/request()``.
    var requestedPaths: [String] { paths.withLock { $0 } }

    /// For one without a script: what came over each connection so far, read to its end.
    func takeConnections() throws -> [[UInt8]] {
        var contents: [[UInt8]] = []
        while true {
            let descriptor = acceptIfThere()
            if descriptor < 0 { return contents }
            let connection = PluginConnection(descriptor: descriptor)
            var content: [UInt8] = []
            while let part = connection.receive() { content += part }
            contents.append(content)
            close(descriptor)
        }
    }

    /// accept(2) without waiting.
    private func acceptIfThere() -> CInt {
        var request = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) == 1 ? accept(listener, nil, nil) : -1
    }

    private func serve(_ script: @escaping Script) {
        let listener = dup(listener)
        Thread.detachNewThread { [weak self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                if descriptor < 0 { break }
                Thread.detachNewThread { [weak self] in
                    var byte: UInt8 = 0
                    // A connection that only asks who listens is none.
                    if recv(descriptor, &byte, 1, CInt(MSG_PEEK)) > 0 {
                        self?.count.withLock { $0 += 1 }
                        let connection = PluginConnection(descriptor: descriptor)
                        connection.requestWasRead = { path in self?.paths.withLock { $0.append(path) } }
                        script(connection)
                    }
                    close(descriptor)
                }
            }
            close(listener)
        }
    }
}

/// The plugin's end of a connection.
final class PluginConnection: @unchecked Sendable {
    // @unchecked: used by the one thread that serves it.
    let descriptor: CInt
    /// Of the request that was read last.
    private(set) var body: String?
    /// Gets the path of each request before it can be answered, so that the order is that of the client.
    var requestWasRead: (String) -> Void = { _ in }

    init(descriptor: CInt) { self.descriptor = descriptor }

    struct Request {
        var head: [String]
        var body: String
    }

    /// Reads one request to its end; nil if it ends before.
    @discardableResult
    func request() -> Request? {
        var received: [UInt8] = []
        while true {
            let text = String(decoding: received, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                let head = text[..<end.lowerBound].components(separatedBy: "\r\n")
                let length = head.first { $0.hasPrefix("Content-Length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
                if text[end.upperBound...].utf8.count >= length {
                    if let path = head[0].split(separator: " ").dropFirst().first { requestWasRead(String(path)) }
                    let body = String(text[end.upperBound...])
                    self.body = body
                    return Request(head: head, body: body)
                }
            }
            guard let more = receive() else { return nil }
            received += more
        }
    }

    /// What comes next; nil at the end.
    func receive(atMost count: Int = 1 << 16) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: count)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    /// - Returns: false if the client is gone.
    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            if count < 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Reads a request and answers it.
    func answer(_ body: String, status: String = "200 OK") {
        request()
        send("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    func hangUp() { shutdown(descriptor, CInt(SHUT_RDWR)) }

    var isOpen: Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) == 0
    }

    /// Waits until the client has closed the connection.
    func waitForEnd() { while receive() != nil {} }
}

/// Makes a socket that is bound and does not listen, as a plugin leaves it that was killed.
func makeDeadSocket(at path: String) throws {
    let plugin = try ScriptedPlugin(at: path, nil)
    plugin.stop()
}

/// Takes the kind apart, for tables.
func callError(_ body: () throws -> Void) -> PluginClientError? {
    do {
        try body()
        return nil
    } catch {
        return error as? PluginClientError
    }
}
