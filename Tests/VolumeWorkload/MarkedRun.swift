// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
public import HistoryChecker
import JSON
import Synchronization

/// Clients with volumes of their own, who say before each operation that it begins, and after its answer that it is answered. In the
/// history, an operation's times are the numbers of these two.
public final class MarkedRun: Sendable {
    private let node: WorkloadNode
    private let seed: Int
    private let change: @Sendable (_ name: String, _ mode: String) async throws -> RecordedOperation.Outcome
    private let mark: @Sendable (String) async throws -> Void
    private let history = Mutex(History())

    /// What becomes of the data of a removed volume; the names of volumes end with it.
    public static let removals = ["retain", "delete", "archive"]

    /// - Parameters:
    ///   - change: gives a volume another mode.
    ///   - mark: is told `begin-NUMBER` and `end-NUMBER`, with the operation's place in the history.
    public init(
        node: WorkloadNode, seed: Int, change: @escaping @Sendable (String, String) async throws -> RecordedOperation.Outcome,
        mark: @escaping @Sendable (String) async throws -> Void
    ) {
        (self.node, self.seed, self.change, self.mark) = (node, seed, change, mark)
    }

    public func history(clients: Int = 3, operations: Int) async throws -> History {
        try await withThrowingTaskGroup { group in
            for client in 0..<clients { group.addTask { [self] in try await ask(client, count: operations / clients) } }
            try await group.waitForAll()
        }
        return history.withLock { $0 }
    }

    private struct Volume {
        var name: String
        var options: [String: String]
        var isThere = false
        var isMounted = false
    }

    /// Of this host and of the share, with each kind of removal.
    private func volumes(of client: Int) -> [Volume] {
        Self.removals.flatMap { removal in
            let (own, shared) = ("own\(client)-\(removal)", "shared\(client)-\(removal)")
            return [
                Volume(
                    name: own,
                    options: ["server": "127.0.0.1", "path": "/disk", "subdir": "data/\(own)", "create": "true", "onremove": removal]),
                Volume(name: shared, options: ["onremove": removal]),
            ]
        }
    }

    private func ask(_ client: Int, count: Int) async throws {
        var random = SeededNumbers(seed: seed &* 1000 &+ client)
        var volumes = volumes(of: client)
        for _ in 0..<count {
            let index = volumes.indices.randomElement(using: &random)!
            let mode = ["0700", "0711", "0755"].randomElement(using: &random)!
            let volume = volumes[index]
            if !volume.isThere {
                let options = volume.options.merging(["mode": mode]) { $1 }
                volumes[index].isThere = try await note(.create, client, volume.name, mode) { try await $0(.create(volume.name, options)) }
            } else if volume.isMounted {
                volumes[index].isMounted = try await !note(.unmount, client, volume.name) { try await $0(.unmount(volume.name, "1")) }
            } else {
                switch Int.random(in: 0..<100, using: &random) {
                case 0..<25: _ = try await note(.change, client, volume.name, mode) { [change] _ in try await change(volume.name, mode) }
                case 25..<65:
                    volumes[index].isMounted = try await note(.mount, client, volume.name) { try await $0(.mount(volume.name, "1")) }
                default: volumes[index].isThere = try await !note(.remove, client, volume.name) { try await $0(.remove(volume.name)) }
                }
            }
        }
        for volume in volumes where volume.isMounted {
            _ = try await note(.unmount, client, volume.name) { try await $0(.unmount(volume.name, "1")) }
        }
    }

    private typealias Sending = @Sendable (PluginRequest) async throws -> RecordedOperation.Outcome

    /// - Returns: whether it has succeeded.
    private func note(
        _ kind: RecordedOperation.Kind, _ client: Int, _ name: String, _ value: String? = nil,
        _ body: (Sending) async throws -> RecordedOperation.Outcome
    ) async throws -> Bool {
        let number = history.withLock { history in
            history.operations.append(
                RecordedOperation(client: client, node: node.name, kind, name, value: value, began: 0, ended: 0, .unknown))
            return history.operations.count - 1
        }
        try await mark("begin-\(number)")
        let outcome = try await body { [node] in
            switch try await node.send($0) {
            case .success: .ok
            case .failure(let text): throw Refusal(text: "\($0): \(text)")
            case .none, .unreachable: .unknown
            }
        }
        history.withLock { $0.operations[number].outcome = outcome }
        try await mark("end-\(number)")
        return outcome == .ok
    }

    /// Nothing is broken while this runs, so every request succeeds.
    private struct Refusal: Error, CustomStringConvertible {
        let text: String
        var description: String { text }
    }
}
