// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import Synchronization

/// What of Docker's API is about containers that do not run, with containers that a test makes up.
final class MadeUpEngine: Sendable {
    struct Container: Sendable {
        var id: String
        var status = "exited"
        var error = "error while mounting volume"
        var policy = "always"
        var limit = 0
        var count = 0
        var labels: [String: String] = [:]
        /// Names, with the driver before a colon where it is not `nfsd`.
        var volumes = ["v"]
        /// What its start says; nil if it succeeds.
        var refusal: String?
        /// A volume whose mount fails in its start.
        var failing: String?

        fileprivate var mounts: [JSONValue] {
            volumes.map { text in
                let parts = text.split(separator: ":").map(String.init)
                return ["Type": "volume", "Name": .string(parts.last ?? ""), "Driver": .string(parts.count > 1 ? parts[0] : "nfsd")]
            }
        }

        var json: JSONValue {
            var labels = JSONObject()
            for (key, value) in self.labels { labels[key] = .string(value) }
            return [
                "Id": .string(id), "Name": .string("/name-\(id)"), "RestartCount": JSONValue(count),
                "State": ["Status": .string(status), "Running": .bool(status == "running"), "Error": .string(error), "ExitCode": 128],
                "HostConfig": ["RestartPolicy": ["Name": .string(policy), "MaximumRetryCount": JSONValue(limit)]],
                "Config": ["Labels": .object(labels)], "Mounts": .array(mounts),
            ]
        }
    }

    private final class State: Sendable {
        let containers: Mutex<[Container]>
        let requests = Mutex<[String]>([])
        let mountFailed = Mutex<(@Sendable (String) -> Void)?>(nil)
        /// In the place of each answer.
        let answer: String?

        init(_ containers: [Container], answer: String?) {
            self.containers = Mutex(containers)
            self.answer = answer
        }

        func answer(to method: String, _ path: String) -> String {
            let text = path.removingPercentEncoding ?? ""
            if text.hasPrefix("/containers/json") {
                let list = containers.withLock { containers in
                    containers.filter { container in
                        text.contains("\"\(container.status)\"")
                            && container.volumes.contains { text.contains("\"\($0.split(separator: ":").last!)\"") }
                    }
                }
                return Self.response(200, "OK", JSONValue.array(list.map { ["Id": .string($0.id)] }).description)
            }
            let id = text.split(separator: "/")[1]
            guard let container = containers.withLock({ $0.first { $0.id == id } }) else {
                return Self.response(404, "Not Found", #"{"message": "No such container"}"#)
            }
            guard method == "POST" else { return Self.response(200, "OK", container.json.description) }
            if let failing = container.failing { mountFailed.withLock { $0 }?(failing) }
            if let refusal = container.refusal {
                return Self.response(500, "Internal Server Error", JSONValue.object(["message": .string(refusal)]).description)
            }
            containers.withLock { containers in
                for index in containers.indices where containers[index].id == id {
                    (containers[index].status, containers[index].error) = ("running", "")
                }
            }
            return "HTTP/1.1 204 No Content\r\n\r\n"
        }

        private static func response(_ status: Int, _ reason: String, _ body: String) -> String {
            "HTTP/1.1 \(status) \(reason)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }
    }

    private let server: ConnectionServer
    private let state: State

    init(at socket: String, _ containers: [Container], answer: String? = nil) throws {
        let state = State(containers, answer: answer)
        self.state = state
        server = try ConnectionServer(at: socket) { client in
            var connection = HTTPConnection(client)
            guard let message = connection.next() else { return }
            let words = message.firstLine.split(separator: " ").map(String.init)
            state.requests.withLock { $0.append("\(words[0]) \(words[1])") }
            _ = connection.write(Array((state.answer ?? state.answer(to: words[0], words[1])).utf8))
        }
    }

    var requests: [String] { state.requests.withLock { $0 } }
    /// The IDs of containers that were to be started, in order.
    var started: [String] {
        requests.compactMap { $0.hasPrefix("POST /containers/") && $0.hasSuffix("/start") ? String($0.dropFirst(17).dropLast(6)) : nil }
    }

    /// Is told of mounts that fail while a container starts.
    func onFailingMount(_ body: @escaping @Sendable (String) -> Void) { state.mountFailed.withLock { $0 = body } }

    func end() { server.end() }
}
