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

    private let path: String
    private let server: ConnectionServer
    private let recorded: Recorded

    /// Apart, since the server has to know where calls go before the proxy is whole.
    private final class Recorded: Sendable {
        let calls = Mutex<[Call]>([])
    }

    /// Listens at `path` from now on. Whether somebody listens at `upstream` matters only when a call comes.
    init(at path: String, to upstream: String) throws {
        let recorded = Recorded()
        self.path = path
        self.recorded = recorded
        server = try ConnectionServer(at: path) { client in
            guard let plugin = UnixSocket.connection(to: upstream) else { return }
            Self.forward(HTTPConnection(client), HTTPConnection(plugin), into: recorded)
            close(plugin)
        }
    }

    var calls: [Call] { recorded.calls.withLock { $0 } }

    /// Calls of one method, such as `Mount`, in order.
    func calls(_ method: String) -> [Call] { calls.filter { $0.method == "VolumeDriver.\(method)" || $0.method == "Plugin.\(method)" } }

    func count(_ method: String) -> Int { calls(method).count }

    /// Closes all that is open. An engine finds nobody there from now on; with its file kept it is what a killed driver leaves.
    func end(keepingFile: Bool = false) {
        if !keepingFile { unlink(path) }
        server.end()
    }

    /// Until either side closes.
    private static func forward(_ client: HTTPConnection, _ plugin: HTTPConnection, into recorded: Recorded) {
        var (client, plugin) = (client, plugin)
        while let request = client.next() {
            guard plugin.write(request.bytes), let answer = plugin.next() else { return }
            let call = Call(
                method: request.method, body: request.document,
                status: Int(answer.firstLine.split(separator: " ")[1]) ?? 0, answer: answer.document)
            // Before the engine has it, for then it may tell the test that all is done.
            recorded.calls.withLock { $0.append(call) }
            guard client.write(answer.bytes) else { return }
        }
    }
}
