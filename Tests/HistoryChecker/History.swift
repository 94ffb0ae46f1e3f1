// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// Something that a client asked of a node, and what came of it.
public struct RecordedOperation: Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable, CaseIterable {
        case create, change, remove, mount, unmount, list, acquire, release, append, read
    }

    public enum Outcome: String, Sendable {
        /// It was acknowledged.
        case ok
        /// It was refused, and has not happened.
        case fail
        /// Nobody knows whether it has happened, or will.
        case unknown
    }

    /// One asks for one thing at a time.
    public var client: Int
    public var node: String
    public var kind: Kind
    /// Of the volume, lock or file; empty for a list.
    public var name: String
    /// What a create or change wants the volume to be; a create that is refused says by it that the volume is something else. The line that
    /// an append writes.
    public var value: String?
    /// The names that a list has, or the lines that a read has.
    public var seen: [String]?
    /// When it was asked and answered, in microseconds. The latter is when the client gave up, if the outcome is unknown.
    public var began: Int
    public var ended: Int
    public var outcome: Outcome

    public init(
        client: Int, node: String, _ kind: Kind, _ name: String = "", value: String? = nil, seen: [String]? = nil, began: Int, ended: Int,
        _ outcome: Outcome
    ) {
        (self.client, self.node, self.kind, self.name, self.value) = (client, node, kind, name, value)
        (self.seen, self.began, self.ended, self.outcome) = (seen, began, ended, outcome)
    }

    public var description: String {
        "\(kind.rawValue)\(name.isEmpty ? "" : " " + name)\(value.map { "=" + $0 } ?? "") by client \(client) at \(node) from \(began) to \(ended): \(outcome.rawValue)"
    }

    /// The latest time at which it can have happened.
    var last: Int { outcome == .unknown ? .max : ended }
}

/// A time in which something was broken on purpose, in microseconds.
public struct Disturbance: Sendable, Equatable {
    public var text: String
    public var began: Int
    public var ended: Int

    public init(_ text: String, began: Int, ended: Int) { (self.text, self.began, self.ended) = (text, began, ended) }
}

/// What clients asked and what was broken meanwhile. As text, a line is one operation or one disturbance, as a JSON object.
public struct History: Sendable, Equatable {
    public var operations: [RecordedOperation]
    public var disturbances: [Disturbance]

    public init(_ operations: [RecordedOperation] = [], disturbances: [Disturbance] = []) {
        (self.operations, self.disturbances) = (operations, disturbances)
    }

    public struct FormatError: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Throws: `FormatError` with the number of the first line that is none.
    public init(parsing text: String) throws {
        self.init()
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() where !line.isEmpty {
            guard let object = try? JSONValue(parsing: Array(line.utf8)), let began = object["began"]?.intValue,
                let ended = object["ended"]?.intValue
            else { throw FormatError(description: "line \(number + 1): no object with times") }
            if let text = object["disturbance"]?.stringValue {
                disturbances.append(Disturbance(text, began: began, ended: ended))
                continue
            }
            guard let client = object["client"]?.intValue, let node = object["node"]?.stringValue,
                let kind = object["kind"]?.stringValue.flatMap(RecordedOperation.Kind.init),
                let outcome = object["outcome"]?.stringValue.flatMap(RecordedOperation.Outcome.init)
            else { throw FormatError(description: "line \(number + 1): no operation") }
            operations.append(
                RecordedOperation(
                    client: client, node: node, kind, object["name"]?.stringValue ?? "", value: object["value"]?.stringValue,
                    seen: object["seen"]?.arrayValue?.compactMap(\.stringValue), began: began, ended: ended, outcome))
        }
    }

    public var text: String {
        let lines = operations.map { operation in
            var object: JSONObject = [
                "client": JSONValue(operation.client), "node": .string(operation.node), "kind": .string(operation.kind.rawValue),
                "name": .string(operation.name),
            ]
            if let value = operation.value { object["value"] = .string(value) }
            if let seen = operation.seen { object["seen"] = .array(seen.map { .string($0) }) }
            object["began"] = JSONValue(operation.began)
            object["ended"] = JSONValue(operation.ended)
            object["outcome"] = .string(operation.outcome.rawValue)
            return object
        }
        let breaks = disturbances.map { disturbance -> JSONObject in
            [
                "disturbance": .string(disturbance.text), "began": JSONValue(disturbance.began), "ended": JSONValue(disturbance.ended),
            ]
        }
        return (lines + breaks).map { String(decoding: JSONValue.object($0).encoded(.compact), as: UTF8.self) + "\n" }.joined()
    }
}
