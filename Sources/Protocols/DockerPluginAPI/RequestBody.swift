// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// The JSON object that a request's body is, and its members by type.
struct RequestBody {
    private let members: JSONObject

    init(_ bytes: Span<UInt8>) throws(RequestError) {
        if bytes.isEmpty {
            // moby repeats a call after a broken connection with the reader that it has already read to its end.
            throw RequestError("the request has no body, as when an engine repeats one whose first try broke off; try the command again")
        }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw RequestError("the request is not valid JSON: \(error)")
        }
        guard case .object(let members) = value else {
            throw RequestError("the request must be a JSON object, not \(value.kind)")
        }
        self.members = members
    }

    /// Text that must be there and not be empty.
    func text(_ key: String) throws(RequestError) -> String {
        switch members[key] {
        case nil, .null: throw RequestError("the request has no \(key)")
        case .string(""): throw RequestError("the request has an empty \(key)")
        case .string(let text): return text
        case .some(let other): throw RequestError("\(key) must be a string, not \(other.kind)")
        }
    }

    /// An object with only strings in it; empty if it is missing or null.
    func textMap(_ key: String) throws(RequestError) -> [String: String] {
        let entries: JSONObject
        switch members[key] {
        case nil, .null: return [:]
        case .object(let object): entries = object
        case .some(let other): throw RequestError("\(key) must be an object, not \(other.kind)")
        }
        var map: [String: String] = [:]
        map.reserveCapacity(entries.count)
        for entry in entries.members {
            guard case .string(let text) = entry.value else {
                throw RequestError("the option \(JSONValue.string(entry.key)) must be a string, not \(entry.value.kind)")
            }
            // Two keys that differ in bytes and not in Unicode's eyes are one key to Dictionary.
            if map.updateValue(text, forKey: entry.key) != nil {
                throw RequestError("the option \(JSONValue.string(entry.key)) is there twice, in two spellings")
            }
        }
        return map
    }
}
