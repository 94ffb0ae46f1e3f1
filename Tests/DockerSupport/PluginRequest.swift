// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import JSON
import TestSupport

/// A call of Docker's volume interface, as an engine makes it.
public struct PluginRequest: Sendable, CustomStringConvertible {
    public enum Method: String, Sendable {
        case create = "Create"
        case remove = "Remove"
        case mount = "Mount"
        case unmount = "Unmount"
        case get = "Get"
        case list = "List"
    }

    public var method: Method
    public var name: String
    public var id: String?
    public var options: [String: String]?

    public static func create(_ name: String, _ options: [String: String] = [:]) -> Self {
        Self(method: .create, name: name, options: options)
    }
    public static func remove(_ name: String) -> Self { Self(method: .remove, name: name) }
    public static func mount(_ name: String, _ id: String) -> Self { Self(method: .mount, name: name, id: id) }
    public static func unmount(_ name: String, _ id: String) -> Self { Self(method: .unmount, name: name, id: id) }
    public static func get(_ name: String) -> Self { Self(method: .get, name: name) }
    public static let list = Self(method: .list, name: "")

    public var description: String { "\(method.rawValue) \(name)\(id.map { " by \($0)" } ?? "")" }

    private var bytes: [UInt8] {
        var object: JSONObject = ["Name": .string(name)]
        if let id { object["ID"] = .string(id) }
        if let options {
            var list = JSONObject()
            for (option, value) in options { list[option] = .string(value) }
            object["Opts"] = .object(list)
        }
        let body = JSONValue.object(object).encoded()
        return Array("POST /VolumeDriver.\(method.rawValue) HTTP/1.1\r\nHost: plugin\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
    }

    /// What came back.
    public enum Answer: Sendable {
        case success(JSONValue)
        case failure(String)
        /// The connection ended without an answer.
        case none
        /// Nobody listens, so nothing has happened.
        case unreachable

        public var document: JSONValue? { if case .success(let document) = self { document } else { nil } }
        public var isSuccess: Bool { document != nil }
    }

    /// Sends it on a connection of its own, and waits for the answer. Blocks.
    ///
    /// - Parameter limit: seconds for the answer.
    /// - Throws: `Trouble` if there is no answer by then, or one that is none.
    public func send(to socket: String, limit: Int = 110) throws -> Answer {
        guard let descriptor = UnixSocket.connection(to: socket) else { return .unreachable }
        defer { close(descriptor) }
        var time = timeval(tv_sec: Int(Double(limit) * testTimeFactor), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        let began = ContinuousClock.now
        var connection = HTTPConnection(descriptor)
        guard connection.write(bytes), let message = connection.next() else {
            if ContinuousClock.now - began > .seconds(limit) { throw Trouble("\(self): no answer within \(limit) s") }
            return .none
        }
        guard let error = message.document["Err"]?.stringValue else {
            throw Trouble("\(self): no answer of the interface: \(String(decoding: message.bytes, as: UTF8.self))")
        }
        return error.isEmpty ? .success(message.document) : .failure(error)
    }
}
