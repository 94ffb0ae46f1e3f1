// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// The JSON object that the request of a volume's call is, and its members by type.
struct RequestBody {
    private let object: JSONObjectReader

    init(_ bytes: Span<UInt8>) throws(RequestError) {
        if bytes.isEmpty {
            // moby repeats a call after a broken connection with the reader that it has already read to its end.
            throw RequestError("the request has no body, as when an engine repeats one whose first try broke off; try the command again")
        }
        object = try RequestError.wrapping { () throws(JSONShapeError) in try JSONObjectReader(parsing: bytes) }
    }

    /// Text that must be there and not be empty.
    ///
    /// - Parameter limit: bytes of UTF-8.
    func text(_ key: String, limit: Int = .max) throws(RequestError) -> String {
        let text = try RequestError.wrapping { () throws(JSONShapeError) in try object.need(key, object.textIfPresent) }
        if text.isEmpty { throw RequestError("the request has an empty \(key)") }
        if text.utf8.count > limit { throw RequestError("the request has \(key) of \(text.utf8.count) bytes; at most \(limit) are taken") }
        return text
    }

    /// An object with only strings in it; empty if it is missing or null.
    func textMap(_ key: String) throws(RequestError) -> [String: String] {
        let entries = try RequestError.wrapping { () throws(JSONShapeError) in try object.object(key).members }
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
