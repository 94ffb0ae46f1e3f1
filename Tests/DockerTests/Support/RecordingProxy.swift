// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import Synchronization
import TestSupport

/// Stands between an engine and a plugin's socket, and writes down each call with its answer.
final class RecordingProxy: Sendable {
    struct Call: Sendable, CustomStringConvertible {
        /// Such as `VolumeDriver.Mount`.
        var method: String
        /// Empty for a call without one.
        var body: JSONValue
        var status: Int
        var answer: JSONValue

        var name: String? { body["Name"]?.stringValue }
        var id: String? { body["ID"]?.stringValue }
        var description: String { "\(method) \(body) -> \(status) \(answer)" }
    }

    private struct State {
        var calls: [Call] = []
        var connections: Set<Int32> = []
        var hasEnded = false
    }

    private let path: String
    private let upstream: String
    private let listener: Int32
    private let state = Mutex(State())

    /// Listens at `path` from now on. Whether somebody listens at `upstream` matters only when a call comes.
    init(at path: String, to upstream: String) throws {
        self.path = path
        self.upstream = upstream
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard UnixSocket.withAddress(path, { bind(listener, $0, $1) }) == 0, listen(listener, 64) == 0 else {
            throw Trouble("no proxy at \(path): \(String(cString: strerror(errno)))")
        }
        Thread.detachNewThread { [self] in accept() }
    }

    var calls: [Call] { state.withLock { $0.calls } }

    /// Calls of one method, such as `Mount`, in order.
    func calls(_ method: String) -> [Call] { calls.filter { $0.method == "VolumeDriver.\(method)" || $0.method == "Plugin.\(method)" } }

    func count(_ method: String) -> Int { calls(method).count }

    /// Closes all that is open. An engine finds nobody there from now on; with its file kept it is what a killed driver leaves.
    func end(keepingFile: Bool = false) {
        if !keepingFile { unlink(path) }
        state.withLock { state in
            state.hasEnded = true
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    // MARK: Connections

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
        let server = UnixSocket.connection(to: upstream)
        if let server { forward(Messages(connection), Messages(server)) }
        state.withLock { state in
            state.connections.remove(connection)
            close(connection)
        }
        if let server { close(server) }
    }

    /// Until either side closes.
    private func forward(_ client: Messages, _ server: Messages) {
        while let request = client.next() {
            guard server.write(request.bytes), let answer = server.next() else { return }
            let call = Call(
                method: String(request.firstLine.split(separator: " ")[1].dropFirst()), body: request.document,
                status: Int(answer.firstLine.split(separator: " ")[1]) ?? 0, answer: answer.document)
            // Before the engine has it, for then it may tell the test that all is done.
            state.withLock { $0.calls.append(call) }
            guard client.write(answer.bytes) else { return }
        }
    }
}

/// HTTP/1.1 messages that come from a socket, as far as engines and plugins use HTTP: with a length, or without a body.
private final class Messages {
    struct Message {
        var bytes: [UInt8]
        var firstLine: String
        var body: [UInt8]

        var document: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
    }

    private let descriptor: Int32
    private var rest: [UInt8] = []

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// - Returns: nil if the other side closes.
    func next() -> Message? {
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let header = rest.firstRange(of: end) {
                let lines = String(decoding: rest[..<header.lowerBound], as: UTF8.self).split(separator: "\r\n").map(String.init)
                let length = lines.dropFirst().first { $0.lowercased().hasPrefix("content-length:") }
                let size = length.flatMap { Int($0.dropFirst("content-length:".count).trimmingCharacters(in: .whitespaces)) } ?? 0
                let total = header.upperBound + size
                while rest.count < total { guard readMore() else { return nil } }
                let message = Message(bytes: Array(rest[..<total]), firstLine: lines[0], body: Array(rest[header.upperBound..<total]))
                rest.removeFirst(total)
                return message
            }
            guard readMore() else { return nil }
        }
    }

    private func readMore() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        rest += buffer[..<count]
        return true
    }

    func write(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
