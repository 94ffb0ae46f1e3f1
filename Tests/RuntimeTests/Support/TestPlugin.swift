// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import Synchronization
import TestSupport

/// A mount point plugin that the test itself serves on a ``PrivateHost``. Unless it is told otherwise it wants every mount, attaches
/// each without a change, and detaches without complaint.
///
/// Each connection has a thread of its own, on which a handler may wait. At its socket on the host listens a plugin-relay, which hands
/// all on to this process.
final class TestPlugin: Sendable {
    enum Address: Sendable {
        /// A socket in Docker's folder of plugins.
        case socket
        /// A port on the host's loopback, and a `.spec` file that names it. The string is the scheme, such as `tcp`.
        case port(String)
    }

    /// What comes back to the caller.
    enum Reply: Sendable {
        case answer(JSONValue)
        /// As Go's HTTP server sends what is longer than its buffer.
        case chunked(JSONValue)
        case error(status: Int, type: String, body: String)
        /// These bytes in the place of an answer with all its headers, then the end of the connection.
        case bytes(String)
        /// The same, and then a blank each so many seconds until the other side has enough.
        case drip(String, every: Double)

        static let success = Reply.answer(["Success": true])

        static func failure(_ text: String, recoverable: Bool? = nil) -> Reply {
            var answer: JSONObject = ["Success": false, "Err": .string(text)]
            if let recoverable { answer["Recoverable"] = .bool(recoverable) }
            return .answer(.object(answer))
        }

        /// What the usual Go helper makes of an error.
        static func refusal(_ text: String) -> Reply {
            let body = JSONValue.object(["Err": .string(text)])
            return .error(status: 500, type: "application/vnd.docker.plugins.v1.1+json", body: "\(body)\n")
        }

        static func attachments(_ list: JSONValue...) -> Reply { .answer(["Success": true, "Attachments": .array(list)]) }
    }

    typealias Handler = @Sendable (PluginCall) throws -> Reply

    private struct State {
        var handlers: [PluginMethod: Handler] = [:]
        var barriers: [PluginMethod: Barrier] = [:]
        var isListening = false
        var server: ConnectionServer?
    }

    let name: String
    private let host: PrivateHost
    private let log: RecordedCalls
    private let specification: String?
    /// Where plugin-relay calls.
    private let innerSocket: String?
    private let state: Mutex<State>

    static let mediaType = "application/vnd.docker.plugins.v1.2+json"

    /// Listens from now on.
    ///
    /// - Parameters:
    ///   - patterns: which mounts it wants; by default each.
    ///   - mounted: whether it asks to be told once the mounts are in place.
    init(
        _ name: String, on host: PrivateHost, log: RecordedCalls, at address: Address = .socket, patterns: JSONValue = [[:]],
        mounted: Bool = false
    ) async throws {
        (self.name, self.host, self.log) = (name, host, log)
        var properties: JSONObject = ["Success": true, "Patterns": patterns]
        if mounted { properties["Mounted"] = true }
        let answer = JSONValue.object(properties)
        state = Mutex(State(handlers: [.properties: { _ in .answer(answer) }]))
        switch address {
        case .socket:
            specification = nil
            // Not a name that an earlier plugin of this name may still use.
            let inner = "/tmp/plugin-\(UUID().uuidString.prefix(13))"
            innerSocket = inner
            let server = try ConnectionServer(at: inner) { [self] in serve($0) }
            state.withLock { $0.server = server }
            let relay = try host.start([Self.relay, Self.socket(name), inner], log: "relay.log")
            try await eventually("plugin-relay listens, see \(host.scratch)/relay.log", within: .seconds(10)) {
                if relay.hasEnded { throw Trouble("plugin-relay has ended: \(host.log("relay.log"))") }
                return state.withLock { $0.isListening }
            }
        case .port(let scheme):
            innerSocket = nil
            let (listener, port) = try await host.insideNetwork { try Self.listenOnLoopback() }
            specification = "/etc/docker/plugins/\(name).spec"
            mkdir(host.path("/etc/docker/plugins"), 0o755)
            try host.write("\(scheme)://127.0.0.1:\(port)\n", to: specification!)
            let server = ConnectionServer(on: listener) { [self] in serve($0) }
            state.withLock { $0.server = server }
        }
    }

    private static func socket(_ name: String) -> String { "\(Dockerd.pluginFolder)/\(name).sock" }

    /// Beside the tests' own executable.
    private static let relay = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/plugin-relay"

    // MARK: What it does

    /// Says what it does from now on when it is asked something.
    func when(_ method: PluginMethod, _ handler: @escaping Handler) { state.withLock { $0.handlers[method] = handler } }

    func when(_ method: PluginMethod, _ reply: Reply) { when(method) { _ in reply } }

    /// Lets calls of a method wait from now on, before they are answered.
    func hold(_ method: PluginMethod) -> Barrier {
        let barrier = Barrier()
        state.withLock { $0.barriers[method] = barrier }
        return barrier
    }

    /// Attaches to mounts by their places from now on, and to no others.
    func attach(_ attachments: [String: JSONValue]) {
        when(.attach) { call in
            .answer([
                "Success": true,
                "Attachments": .array(call.mounts.map { attachments[$0["Destination"]?.stringValue ?? ""] ?? ["Attach": false] }),
            ])
        }
    }

    private func reply(to call: PluginCall) throws -> Reply {
        let (handler, barrier) = state.withLock { ($0.handlers[call.method], $0.barriers[call.method]) }
        barrier?.pass()
        if let handler { return try handler(call) }
        switch call.method {
        case .activate: return .answer(["Implements": ["mountpoint"]])
        case .attach: return .answer(["Success": true, "Attachments": .array(call.mounts.map { _ in ["Attach": true] })])
        case .properties, .mounted, .detach: return .success
        }
    }

    /// Nobody finds it from now on, as if its process had ended.
    func end() {
        if let innerSocket { unlink(innerSocket) }
        if let specification { unlink(host.path(specification)) } else { unlink(host.path(Self.socket(name))) }
        state.withLock { state in
            state.server?.end()
            state.server = nil
            for barrier in state.barriers.values { barrier.release() }
        }
    }

    // MARK: Connections

    private static func listenOnLoopback() throws -> (Int32, Int) {
        let listener = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && Glibc.listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isListening else { throw Trouble("no plugin on loopback: \(String(cString: strerror(errno)))") }
        return (listener, Int(UInt16(bigEndian: address.sin_port)))
    }

    private func serve(_ descriptor: Int32) {
        var connection = HTTPConnection(descriptor)
        let greeting = specification == nil ? connection.line() : nil
        if greeting == "listening" { state.withLock { $0.isListening = true } }
        while let request = connection.next(), answer(request, from: greeting.flatMap { pid_t($0) }, on: connection) {}
    }

    /// - Returns: whether the connection can take another request.
    private func answer(_ request: HTTPConnection.Message, from caller: pid_t?, on connection: HTTPConnection) -> Bool {
        guard let method = PluginMethod(rawValue: request.method) else {
            return connection.write(Self.message(404, "text/plain", "no method \(request.method)\n"))
        }
        let call = PluginCall(
            plugin: name, method: method, request: request.document, headers: request.headers, caller: caller)
        let index = log.begin(call)
        do {
            switch try reply(to: call) {
            case .answer(let document):
                // Before the caller has it, for then it may tell the test that all is done.
                log.end(index, answer: document)
                return connection.write(Self.message(200, Self.mediaType, document.description))
            case .chunked(let document):
                log.end(index, answer: document)
                return connection.write(Self.chunks(document.description))
            case .error(let status, let type, let body):
                log.end(index, answer: ["Success": false])
                return connection.write(Self.message(status, type, body))
            case .bytes(let text):
                log.end(index, answer: ["Success": false])
                _ = connection.write(Array(text.utf8))
                return false
            case .drip(let text, let pause):
                var isWanted = connection.write(Array(text.utf8))
                while isWanted {
                    Thread.sleep(forTimeInterval: pause)
                    isWanted = connection.write([0x20])
                }
                return false
            }
        } catch {
            return connection.write(Self.message(500, "text/plain", "\(error)"))
        }
    }

    static func message(_ status: Int, _ type: String, _ body: String) -> [UInt8] {
        let head =
            "HTTP/1.1 \(status) \(status == 200 ? "OK" : "Error")\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        return Array(head.utf8) + Array(body.utf8)
    }

    private static func chunks(_ body: String) -> [UInt8] {
        var message = "HTTP/1.1 200 OK\r\nContent-Type: \(mediaType)\r\nTransfer-Encoding: chunked\r\n\r\n"
        var rest = body[...]
        while !rest.isEmpty {
            let part = rest.prefix(100)
            message += String(part.utf8.count, radix: 16) + "\r\n" + part + "\r\n"
            rest = rest.dropFirst(100)
        }
        return Array((message + "0\r\n\r\n").utf8)
    }
}
