// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport

/// A caller that sends exactly the bytes it is told to. Blocks, but on threads of its own, so that the server's tasks get the pool.
final class RawClient: Sendable {
    struct Answer: Equatable, Sendable {
        var status: Int
        var header: String
        var body: String
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Milliseconds.
    private static let patience = CInt(Duration.seconds(10).onThisMachine.components.seconds * 1000)

    private let descriptor: CInt

    init(_ path: FilePath) throws {
        let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = try systemCall("socket", on: path.string) { socket(AF_UNIX, type, 0) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.string.utf8) }
        do {
            try systemCall("connect", on: path.string) {
                withUnsafePointer(to: address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                    }
                }
            }
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    deinit { Glibc.close(descriptor) }

    /// Closes the connection; what was not read counts as unread. The descriptor's number stays taken until the end of this object,
    /// so that no other test's connection gets it.
    func leave() {
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        dup2(null, descriptor)
        Glibc.close(null)
    }

    func shutDown(_ how: CInt) { shutdown(descriptor, how) }

    func send(_ text: String) async throws {
        let bytes = Array(text.utf8)
        try await blocking {
            var sent = 0
            while sent < bytes.count {
                sent += try systemCall("send", on: "server") { [sent] in
                    bytes.withUnsafeBytes { Glibc.send(self.descriptor, $0.baseAddress! + sent, bytes.count - sent, CInt(MSG_NOSIGNAL)) }
                }
            }
        }
    }

    /// Sends a call as moby does.
    func sendCall(_ path: String, _ body: String) async throws {
        try await send(
            "POST \(path) HTTP/1.1\r\nHost: plugin.moby.localhost\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: \(body.utf8.count)\r\n"
                + "Accept: application/vnd.docker.plugins.v1.2+json\r\nAccept-Encoding: gzip\r\n\r\n" + body)
    }

    func call(_ path: String, _ body: String = "{}") async throws -> Answer {
        try await sendCall(path, body)
        return try await answer()
    }

    /// Waits until there is something to read, or the end.
    func waitUntilReadable() async throws {
        try await blocking { try self.waitForInput() }
    }

    /// Whether there is nothing to read at this moment, not even an end.
    var isQuiet: Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) == 0
    }

    /// Reads one answer and no byte more.
    func answer() async throws -> Answer {
        try await blocking {
            var header: [UInt8] = []
            while !header.ends(with: "\r\n\r\n".utf8) { header += try self.read(1) }
            let text = String(decoding: header, as: UTF8.self)
            let lines = text.split(separator: "\r\n")
            let length = lines.first { $0.lowercased().hasPrefix("content-length:") }.flatMap { Int($0.dropFirst(16)) } ?? 0
            var body: [UInt8] = []
            while body.count < length { body += try self.read(length - body.count) }
            return Answer(status: Int(lines[0].split(separator: " ")[1]) ?? 0, header: text, body: String(decoding: body, as: UTF8.self))
        }
    }

    /// Reads to the end of the connection.
    func rest() async throws -> String {
        try await blocking {
            var bytes: [UInt8] = []
            while true {
                let part: [UInt8]
                do { part = try self.read(65536, orEnd: true) } catch let error as SystemError where error.errno == .connectionReset {
                    break
                }
                if part.isEmpty { break }
                bytes += part
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private func read(_ count: Int, orEnd: Bool = false) throws -> [UInt8] {
        try waitForInput()
        var buffer = [UInt8](repeating: 0, count: count)
        let got = try systemCall("recv", on: "server") { recv(self.descriptor, &buffer, count, 0) }
        if got == 0 && !orEnd { throw Failure(description: "the connection ended") }
        return Array(buffer[..<got])
    }

    private func waitForInput() throws {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if poll(&request, 1, Self.patience) != 1 { throw Failure(description: "no answer") }
    }

    private func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await BlockingThread.run(named: "client", body)
    }
}

extension Array where Element == UInt8 {
    fileprivate func ends(with suffix: String.UTF8View) -> Bool {
        count >= suffix.count && self[(count - suffix.count)...].elementsEqual(suffix)
    }
}
