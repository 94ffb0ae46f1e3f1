// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import PluginClient
import SystemPackage

/// What a plugin answered, as it came.
struct RawAnswer {
    var status: Int
    var body: [UInt8]
    /// The lines of its head without the first; names in lower case.
    var fields: [(name: String, value: String)]
    /// Who sent it, if that is one process that is visible here.
    var process: CInt?

    func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }
}

/// Why no answer came.
enum CallFailure: Error {
    /// Nobody listens.
    case absent(String)
    /// The connection was closed before a byte of an answer.
    case closed
    case late
    /// What came is no HTTP, or too much.
    case garbled(String)
}

/// One request to a plugin, whose bytes need not be right, and its answer. The calls of several may overlap.
///
/// ``PluginClient`` sends only what is right, and hides how an answer was made.
final class RawCall {
    /// Bytes of an answer with its head. Above what a plugin may send, so that too much can be told from endless.
    static let limit = 4 << 20

    private let socket: StreamSocket
    private let deadline: Deadline

    /// Sends all of a request, or what the plugin takes of it.
    ///
    /// - Parameters:
    ///   - length: what is said of the body's length; nil for the truth. Where it is more, the connection is not closed, so that the
    ///     plugin has to wait for the rest.
    init(_ path: String, _ body: [UInt8], to socketPath: String, length: Int? = nil, within limit: Duration) throws(CallFailure) {
        deadline = Deadline(after: limit)
        do throws(SystemError) {
            socket = try StreamSocket.connect(toUnixSocket: socketPath, by: deadline)
        } catch {
            throw error.errno == .timedOut ? .late : .absent("\(error)")
        }
        socket.noteSenders()
        let type = Activation.mediaType
        let head =
            "POST \(path) HTTP/1.1\r\nHost: localhost\r\nAccept: \(type)\r\nContent-Type: \(type)\r\n"
            + "Content-Length: \(length ?? body.count)\r\nConnection: close\r\n\r\n"
        var rest = (Array(head.utf8) + body)[...]
        while !rest.isEmpty {
            guard socket.wait(for: .sending, by: deadline), !deadline.hasPassed else { throw .late }
            // A plugin may answer, and close the connection, before it has everything.
            guard let count = try? socket.send(rest) else { break }
            rest = rest.dropFirst(count)
        }
    }

    func answer() throws(CallFailure) -> RawAnswer {
        var parser = AnswerParser(limit: Self.limit)
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var process: CInt?
        while !parser.isComplete {
            guard socket.wait(for: .receiving, by: deadline), !deadline.hasPassed else { throw .late }
            let received: (count: Int, process: CInt?)?
            do throws(SystemError) { received = try socket.receiveWithSender(into: &buffer) } catch {
                if all.isEmpty { throw .closed }
                throw .garbled("it broke off: \(error)")
            }
            guard let (count, sender) = received else { continue }
            if count == 0 && all.isEmpty { throw .closed }
            if count > 0 { process = sender }
            all += buffer[..<count]
            do throws(AnswerError) {
                if count > 0 { try parser.consume(buffer[..<count]) } else { try parser.end() }
            } catch {
                throw .garbled("it \(error.reason)")
            }
        }
        return RawAnswer(status: parser.status ?? 0, body: parser.body, fields: Self.fields(of: all), process: process)
    }

    private static func fields(of bytes: [UInt8]) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropFirst() {
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if line.isEmpty { break }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") }
            fields.append((String(decoding: line[..<colon], as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self)))
        }
        return fields
    }
}
