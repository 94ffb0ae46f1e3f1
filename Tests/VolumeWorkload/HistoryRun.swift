// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerSupport
public import HistoryChecker
import JSON
import Synchronization
import TestSupport

/// A daemon that clients ask.
public struct WorkloadNode: Sendable {
    public let name: String
    public let send: @Sendable (PluginRequest) async throws -> PluginRequest.Answer

    public init(name: String, send: @escaping @Sendable (PluginRequest) async throws -> PluginRequest.Answer) {
        (self.name, self.send) = (name, send)
    }
}

/// Breaks something for a while and mends it, and says what it was.
///
/// - Parameters:
///   - number: how many came before.
///   - random: chooses what is to be chosen.
public typealias Nemesis = @Sendable (_ number: Int, _ random: inout SeededNumbers) async throws -> String

/// Clients that ask nodes for anything, while something breaks the nodes; all of it is written down.
public final class HistoryRun: Sendable {
    private let nodes: [WorkloadNode]
    private let seed: Int
    private let nemesis: Nemesis
    private let history = Mutex(History())
    private let start = ContinuousClock.now

    private static let names = (0..<12).map { "v\($0)" }
    private static let modes = ["0700", "0711", "0755"]

    public init(nodes: [WorkloadNode], seed: Int, nemesis: @escaping Nemesis) {
        self.nodes = nodes
        self.seed = seed
        self.nemesis = nemesis
    }

    private var now: Int { microseconds(since: start) }

    /// - Parameters:
    ///   - clients: half of them ask each node.
    ///   - operations: of all clients together.
    ///   - faults: these come one after another.
    ///   - seconds: over which the operations are spread.
    ///   - settling: seconds of listing at the end, by which all nodes have heard of everything.
    public func history(clients: Int = 8, operations: Int, faults: Int, over seconds: Double, settling: Int = 14) async throws -> History {
        try await withThrowingTaskGroup { group in
            for client in 0..<clients {
                group.addTask { [self] in try await ask(client, count: operations / clients, over: seconds) }
            }
            group.addTask { [self] in try await breakThings(faults) }
            try await group.waitForAll()
        }
        for _ in 0..<settling {
            for (number, node) in nodes.enumerated() { try await list(node, client: 100 + number) }
            try await Task.sleep(for: .seconds(1))
        }
        return history.withLock { $0 }
    }

    // MARK: Clients

    /// What a client has mounted.
    private struct Held {
        var name: String
        var id: String
    }

    private func ask(_ client: Int, count: Int, over seconds: Double) async throws {
        var random = SeededNumbers(seed: seed &* 1000 &+ client)
        let node = nodes[client % nodes.count]
        var held: Held?
        for number in 0..<count {
            let due = start.advanced(by: .seconds(seconds * Double(number) / Double(count)))
            try await Task.sleep(until: due, clock: .continuous)
            let name = Self.names.randomElement(using: &random)!
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<35: try await create(name, Self.modes.randomElement(using: &random)!, node, client)
            case 35..<60: try await change(.remove(name), .remove, node, client)
            case 60..<85:
                if let mine = held {
                    if try await change(.unmount(mine.name, mine.id), .unmount, node, client) != .unknown { held = nil }
                } else {
                    let wanted = Held(name: name, id: "\(client)-\(number)")
                    if try await change(.mount(name, wanted.id), .mount, node, client) != .fail { held = wanted }
                }
            default: try await list(node, client: client)
            }
        }
        if let mine = held { _ = try await change(.unmount(mine.name, mine.id), .unmount, node, client) }
    }

    /// Asks again while nobody listens: then nothing has happened.
    private func send(_ request: PluginRequest, to node: WorkloadNode) async throws -> (answer: PluginRequest.Answer, began: Int) {
        while true {
            let began = now
            let answer = try await node.send(request)
            guard case .unreachable = answer else { return (answer, began) }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func note(_ operation: RecordedOperation) { history.withLock { $0.operations.append(operation) } }

    private func create(_ volume: String, _ mode: String, _ node: WorkloadNode, _ client: Int) async throws {
        let (answer, began) = try await send(.create(volume, ["mode": mode, "onremove": "delete"]), to: node)
        let outcome: RecordedOperation.Outcome
        switch answer {
        case .success: outcome = .ok
        // Other errors do not say that nothing has happened.
        case .failure(let text): outcome = text.contains("with other options") ? .fail : .unknown
        case .none, .unreachable: outcome = .unknown
        }
        note(RecordedOperation(client: client, node: node.name, .create, volume, value: mode, began: began, ended: now, outcome))
    }

    @discardableResult
    private func change(
        _ request: PluginRequest, _ kind: RecordedOperation.Kind, _ node: WorkloadNode, _ client: Int
    ) async throws -> RecordedOperation.Outcome {
        let (answer, began) = try await send(request, to: node)
        let outcome: RecordedOperation.Outcome
        switch answer {
        case .success: outcome = .ok
        case .failure(let text):
            // A removal can have begun, and a mount that failed holds nothing.
            let isRefusal = kind != .remove || text.contains("no such volume") || text.contains("in use")
            outcome = kind == .unmount && !text.contains("no such volume") ? .unknown : isRefusal ? .fail : .unknown
        case .none, .unreachable: outcome = .unknown
        }
        note(RecordedOperation(client: client, node: node.name, kind, request.name, began: began, ended: now, outcome))
        return outcome
    }

    private func list(_ node: WorkloadNode, client: Int) async throws {
        let (answer, began) = try await send(.list, to: node)
        guard let document = answer.document else { return }
        let seen = (document["Volumes"]?.arrayValue ?? []).compactMap { $0["Name"]?.stringValue }
        note(RecordedOperation(client: client, node: node.name, .list, seen: seen, began: began, ended: now, .ok))
    }

    // MARK: Faults

    private func breakThings(_ count: Int) async throws {
        var random = SeededNumbers(seed: seed)
        for number in 0..<count {
            try await Task.sleep(for: .milliseconds(Int.random(in: 300...900, using: &random)))
            let began = now
            let text = try await nemesis(number, &random)
            let ended = now
            history.withLock { $0.disturbances.append(Disturbance(text, began: began, ended: ended)) }
        }
    }
}
