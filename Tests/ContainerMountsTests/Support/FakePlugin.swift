// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import Synchronization
import TestSupport

/// What all plugins of a test have been asked about containers, in the order in which it came.
final class FakePluginLog: Sendable {
    struct Call: Sendable {
        var plugin: String
        /// Such as `Attach`.
        var method: String
        var request: JSONValue

        var id: String { request["ID"]?.stringValue ?? "" }
    }

    private let entries = Mutex<[Call]>([])

    fileprivate func add(_ call: Call) { entries.withLock { $0.append(call) } }

    var calls: [Call] { entries.withLock { $0 } }

    /// `PLUGIN METHOD ID`, a line each.
    var lines: [String] { calls.map { "\($0.plugin) \($0.method) \($0.id)" } }

    func calls(_ method: String, of plugin: String? = nil) -> [Call] {
        calls.filter { $0.method == method && (plugin == nil || $0.plugin == plugin) }
    }
}

/// A mount point plugin on a UNIX socket. Unless it is told otherwise it wants every mount, attaches each without a change, and detaches
/// without complaint.
final class FakePlugin: Sendable {
    typealias Handler = @Sendable (JSONValue) -> JSONValue

    private struct State {
        var properties: JSONObject = ["Success": true, "Patterns": [[:]]]
        var handlers: [String: Handler] = [:]
        var gates: [String: Gate] = [:]
        var server: ConnectionServer?
    }

    /// Where calls wait until the test lets them go on.
    final class Gate: @unchecked Sendable {  // all that changes is guarded by the condition
        private let condition = NSCondition()
        private var waiting = 0
        private var isOpen = false

        fileprivate func pass() {
            condition.withLock {
                waiting += 1
                while !isOpen { condition.wait() }
            }
        }

        func open() {
            condition.withLock {
                isOpen = true
                condition.broadcast()
            }
        }

        func isReached() async throws { try await eventually("the plugin is asked") { condition.withLock { waiting > 0 } } }
    }

    let name: String
    private let path: String
    private let log: FakePluginLog
    private let state = Mutex(State())

    init(_ name: String, at path: String, log: FakePluginLog) throws {
        (self.name, self.path, self.log) = (name, path, log)
        try begin()
    }

    /// Listens again after ``end()``.
    func begin() throws {
        unlink(path)
        let server = try ConnectionServer(at: path) { [self] in serve($0) }
        state.withLock { $0.server = server }
    }

    /// As if its process had ended.
    func end() {
        unlink(path)
        let (server, gates) = state.withLock { state in
            defer { state.server = nil }
            return (state.server, Array(state.gates.values))
        }
        for gate in gates { gate.open() }
        server?.end()
    }

    /// Members of its properties, from its next start on.
    func set(_ members: JSONObject) { state.withLock { for member in members.members { $0.properties[member.key] = member.value } } }

    /// - Parameter method: such as `Attach`.
    func when(_ method: String, _ handler: @escaping Handler) { state.withLock { $0.handlers[method] = handler } }

    /// Has calls of a method wait from now on, before they are answered.
    func gate(_ method: String) -> Gate {
        let gate = Gate()
        state.withLock { $0.gates[method] = gate }
        return gate
    }

    private func serve(_ descriptor: Int32) {
        var connection = HTTPConnection(descriptor)
        while let request = connection.next(), connection.write(Self.message(answer(request).description)) {}
    }

    private func answer(_ request: HTTPConnection.Message) -> JSONValue {
        if request.method == "Plugin.Activate" { return ["Implements": ["mountpoint"]] }
        let method = request.method.replacing("MountPointPlugin.MountPoint", with: "")
        let (properties, handler, gate) = state.withLock { ($0.properties, $0.handlers[method], $0.gates[method]) }
        if method == "Properties" { return .object(properties) }
        let document = request.document
        log.add(FakePluginLog.Call(plugin: name, method: method, request: document))
        gate?.pass()
        if let handler { return handler(document) }
        guard method == "Attach" else { return ["Success": true] }
        let mounts = document["Mounts"]?.arrayValue ?? []
        return ["Success": true, "Attachments": .array(mounts.map { _ in ["Attach": true] })]
    }

    private static func message(_ body: String) -> [UInt8] {
        let type = "application/vnd.docker.plugins.v1.2+json"
        return Array("HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
    }
}
