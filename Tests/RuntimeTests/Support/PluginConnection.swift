// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// HTTP/1.1 as a plugin hears and says it.
struct PluginConnection {
    struct Request {
        /// The last part of the path, such as `Plugin.Activate`.
        var method: String
        var headers: [String: String]
        var body: [UInt8]
    }

    let descriptor: Int32
    private var rest: [UInt8] = []

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// - Returns: nil if the other side closes.
    mutating func next() -> Request? {
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let header = rest.firstRange(of: end) {
                let lines = String(decoding: rest[..<header.lowerBound], as: UTF8.self).split(separator: "\r\n")
                var headers: [String: String] = [:]
                for line in lines.dropFirst() {
                    guard let colon = line.firstIndex(of: ":") else { continue }
                    headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop(while: { $0 == " " }))
                }
                let total = header.upperBound + (headers["content-length"].flatMap { Int($0) } ?? 0)
                while rest.count < total { guard readMore() else { return nil } }
                let path = lines[0].split(separator: " ").dropFirst().first ?? ""
                let body = Array(rest[header.upperBound..<total])
                rest.removeFirst(total)
                return Request(method: String(path.split(separator: "/").last ?? ""), headers: headers, body: body)
            }
            guard readMore() else { return nil }
        }
    }

    /// A line by itself, which plugin-relay sends first.
    mutating func line() -> String? {
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
