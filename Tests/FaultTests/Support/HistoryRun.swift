// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import HistoryChecker
import JSON
import Synchronization
import TestSupport

/// The same numbers for the same seed, on every machine.
struct SeededNumbers: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) }

    /// SplitMix64 of Steele, Lea and Flood.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

/// Clients that ask nodes for anything, while something breaks the nodes; all of it is written down.
final class HistoryRun: Sendable {
    private let nodes: [DaemonHost]
    private let seed: Int
    private let history = Mutex(History())
    private let start = ContinuousClock.now

    private static let names = (0..<12).map { "v\($0)" }
    private static let modes = ["0700", "0711", "0755"]

    init(nodes: [DaemonHost], seed: Int) {
        self.nodes = nodes
        self.seed = seed
    }

    private var now: Int {
        let passed = (ContinuousClock.now - start).components
        return Int(passed.seconds) * 1_000_000 + Int(passed.attoseconds / 1_000_000_000_000)
    }

    /// - Parameters:
    ///   - clients: half of them ask each node.
    ///   - operations: of all clients together.
    ///   - faults: these come a second or two apart; operations are spread over that time.
    func history(clients: Int = 8, operations: Int, faults: Int) async throws -> History {
        try await withThrowingTaskGroup { group in
            for client in 0..<clients {
                group.addTask { [self] in try await ask(client, count: operations / clients, over: Double(faults) * 2.2) }
            }
            group.addTask { [self] in try await breakThings(faults) }
            try await group.waitForAll()
        }
        // All nodes have heard of everything by the end of this.
        for _ in 0..<14 {
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
    private func send(_ request: PluginRequest, to node: DaemonHost) async throws -> (answer: PluginRequest.Answer, began: Int) {
        while true {
            let began = now
            let answer = try await node.send(request)
            guard case .unreachable = answer else { return (answer, began) }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func note(_ operation: RecordedOperation) { history.withLock { $0.operations.append(operation) } }

    private func name(of node: DaemonHost) -> String { nodes[0] === node ? "a" : "b" }

    private func create(_ volume: String, _ mode: String, _ node: DaemonHost, _ client: Int) async throws {
        let (answer, began) = try await send(.create(volume, ["mode": mode, "onremove": "delete"]), to: node)
        let outcome: RecordedOperation.Outcome
        switch answer {
        case .success: outcome = .ok
        // Other errors do not say that nothing has happened.
        case .failure(let text): outcome = text.contains("with other options") ? .fail : .unknown
        case .none, .unreachable: outcome = .unknown
        }
        note(RecordedOperation(client: client, node: name(of: node), .create, volume, value: mode, began: began, ended: now, outcome))
    }

    @discardableResult
    private func change(
        _ request: PluginRequest, _ kind: RecordedOperation.Kind, _ node: DaemonHost, _ client: Int
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
        note(RecordedOperation(client: client, node: name(of: node), kind, request.name, began: began, ended: now, outcome))
        return outcome
    }

    private func list(_ node: DaemonHost, client: Int) async throws {
        let (answer, began) = try await send(.list, to: node)
        guard let document = answer.document else { return }
        let seen = (document["Volumes"]?.arrayValue ?? []).compactMap { $0["Name"]?.stringValue }
        note(RecordedOperation(client: client, node: name(of: node), .list, seen: seen, began: began, ended: now, .ok))
    }

    // MARK: Faults

    private func breakThings(_ count: Int) async throws {
        var random = SeededNumbers(seed: seed)
        for number in 0..<count {
            try await Task.sleep(for: .milliseconds(Int.random(in: 300...900, using: &random)))
            let node = nodes.randomElement(using: &random)!
            let length = Duration.milliseconds(Int.random(in: 300...1800, using: &random))
            let began = now
            let text: String
            switch number % 3 {
            case 0:
                text = "kill of \(name(of: node))"
                await node.kill()
                try await node.start()
            case 1:
                text = "\(name(of: node)) is stopped"
                try await node.pause(for: length)
            default:
                text = "the share is away from \(name(of: node))"
                try node.setServer(isAway: true)
                try await Task.sleep(for: length)
                try node.setServer(isAway: false)
            }
            let ended = now
            history.withLock { $0.disturbances.append(Disturbance(text, began: began, ended: ended)) }
        }
    }
}
