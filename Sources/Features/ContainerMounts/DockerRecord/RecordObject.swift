// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON

/// An object of a file that an engine keeps, and its members by type. A null counts as missing, as to Go's decoder, which wrote it.
struct RecordObject {
    let members: JSONObject
    /// For messages: where it stands in the file, with a dot at its end, or nothing.
    let path: String

    init(_ members: JSONObject, path: String = "") {
        self.members = members
        self.path = path
    }

    init(parsing bytes: [UInt8]) throws(RecordError) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw RecordError(description: "it is not valid JSON: \(error)")
        }
        guard case .object(let members) = value else { throw RecordError(description: "it must be a JSON object, not \(value.kind)") }
        self.init(members)
    }

    /// Empty if it is missing.
    func text(_ key: String) throws(RecordError) -> String {
        switch members[key] {
        case nil, .null: return ""
        case .string(let text): return text
        case let other?: throw wrong(key, "a string", other)
        }
    }

    /// False if it is missing.
    func flag(_ key: String) throws(RecordError) -> Bool {
        switch members[key] {
        case nil, .null: return false
        case .bool(let value): return value
        case let other?: throw wrong(key, "a boolean", other)
        }
    }

    /// Without members if it is missing.
    func object(_ key: String) throws(RecordError) -> RecordObject {
        switch members[key] {
        case nil, .null: return RecordObject([:], path: "\(path)\(key).")
        case .object(let object): return RecordObject(object, path: "\(path)\(key).")
        case let other?: throw wrong(key, "an object", other)
        }
    }

    /// Every member's value, each of which must be an object.
    func objects(_ key: String) throws(RecordError) -> [RecordObject] {
        let parent = try object(key)
        var objects: [RecordObject] = []
        for member in parent.members.members { objects.append(try parent.object(member.key)) }
        return objects
    }

    /// Empty if it is missing.
    func map(_ key: String) throws(RecordError) -> StringMap {
        let object = try object(key)
        var map = StringMap()
        map.reserveCapacity(object.members.count)
        for member in object.members.members {
            switch member.value {
            case .null: map.append(key: member.key, value: "")
            case .string(let text): map.append(key: member.key, value: text)
            default: throw object.wrong(member.key, "a string", member.value)
            }
        }
        return map
    }

    private func wrong(_ key: String, _ expected: String, _ value: JSONValue) -> RecordError {
        RecordError(description: "\(path)\(key) must be \(expected), not \(value.kind)")
    }
}

/// Why a file's content is not what its engine writes; one line, without the file's name.
struct RecordError: Error, CustomStringConvertible {
    let description: String
}
