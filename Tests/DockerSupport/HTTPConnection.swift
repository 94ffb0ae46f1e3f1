// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import JSON

/// HTTP/1.1 messages on a connected socket, as far as engines and plugins use HTTP: with a length, or without a body.
public struct HTTPConnection {
    public struct Message {
        /// As it came.
        public var bytes: [UInt8]
        public var firstLine: String
        /// By names in small letters.
        public var headers: [String: String]
        public var body: [UInt8]

        /// Null if the body is none.
        public var document: JSONValue { (try? JSONValue(parsing: body)) ?? .null }

        /// The path of a request without its slash, such as `Plugin.Activate`.
        public var method: String { String(firstLine.split(separator: " ").dropFirst().first?.drop { $0 == "/" } ?? "") }
    }

    private let descriptor: Int32
    private var rest: [UInt8] = []

    public init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// - Returns: nil if the other side closes.
    public mutating func next() -> Message? {
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let header = rest.firstRange(of: end) {
                let lines = String(decoding: rest[..<header.lowerBound], as: UTF8.self).split(separator: "\r\n").map(String.init)
                var headers: [String: String] = [:]
                for line in lines.dropFirst() {
                    guard let colon = line.firstIndex(of: ":") else { continue }
                    headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
                }
                let total = header.upperBound + (headers["content-length"].flatMap { Int($0) } ?? 0)
                while rest.count < total { guard readMore() else { return nil } }
                let message = Message(
                    bytes: Array(rest[..<total]), firstLine: lines.first ?? "", headers: headers,
                    body: Array(rest[header.upperBound..<total]))
                rest.removeFirst(total)
                return message
            }
            guard readMore() else { return nil }
        }
    }

    /// A line by itself, which plugin-relay sends first.
    public mutating func line() -> String? {
        while true {
            if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: rest[..<end], as: UTF8.self)
                rest.removeSubrange(...end)
                return line
            }
            guard readMore() else { return nil }
        }
    }

    private mutating func readMore() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        rest += buffer[..<count]
        return true
    }

    /// - Returns: whether the other side is still there.
    public func write(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
