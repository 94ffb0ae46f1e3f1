// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// A value that has not the type that it should.
struct ShapeError: Error {
    /// Where, such as `Patterns[2].Type`; empty for the document itself.
    private(set) var place = ""
    /// What is to follow the place, such as `must be a string, not a number`.
    let reason: String

    init(_ reason: String, at place: String = "") {
        self.reason = reason
        self.place = place
    }

    static func wrong(_ value: JSONValue, expected: String, at place: String = "") -> ShapeError {
        ShapeError("must be \(expected), not \(value.kind)", at: place)
    }

    /// The same, seen from one level further out. Places are put together only when something is wrong.
    func inside(_ outer: String) -> ShapeError {
        ShapeError(reason, at: place.isEmpty ? outer : "\(outer).\(place)")
    }

    func message(about document: String) -> String {
        "\(place.isEmpty ? document : place) \(reason)"
    }
}

extension ResponseError {
    static func wrapping<Value>(_ read: () throws(ShapeError) -> Value) throws(ResponseError) -> Value {
        do throws(ShapeError) { return try read() } catch { throw ResponseError(error.message(about: "the answer")) }
    }
}

extension RequestError {
    static func wrapping<Value>(_ read: () throws(ShapeError) -> Value) throws(RequestError) -> Value {
        do throws(ShapeError) { return try read() } catch { throw RequestError(error.message(about: "the request")) }
    }
}

/// A JSON object of the MountPoint interface, and its members by type.
///
/// What is missing or null has its default, as in Go, which writes null for empty lists and maps; what has another type is an
/// error. Members that nobody asks for are ignored. Names are taken in their exact spelling, which is the one that Go writes.
struct MessageObject {
    let members: JSONObject

    init(parsing body: Span<UInt8>) throws(ShapeError) {
        if body.isEmpty { throw ShapeError("has no body") }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: body)
        } catch {
            throw ShapeError("is not valid JSON: \(error)")
        }
        guard case .object(let members) = value else { throw .wrong(value, expected: "a JSON object") }
        self.members = members
    }

    init(_ value: JSONValue) throws(ShapeError) {
        guard case .object(let members) = value else { throw .wrong(value, expected: "an object") }
        self.members = members
    }

    static func text(_ value: JSONValue) throws(ShapeError) -> String {
        guard case .string(let text) = value else { throw .wrong(value, expected: "a string") }
        return text
    }

    /// The member of that name, if it is there and not null.
    private func member(_ key: String) -> JSONValue? {
        guard let value = members[key], !value.isNull else { return nil }
        return value
    }

    func text(_ key: String) throws(ShapeError) -> String {
        guard let value = member(key) else { return "" }
        guard case .string(let text) = value else { throw .wrong(value, expected: "a string", at: key) }
        return text
    }

    func textThatMustBeThere(_ key: String) throws(ShapeError) -> String {
        let text = try text(key)
        if text.isEmpty { throw ShapeError("must be there and not be empty", at: key) }
        return text
    }

    func flag(_ key: String) throws(ShapeError) -> Bool { try flagIfSaid(key) ?? false }

    func flagIfSaid(_ key: String) throws(ShapeError) -> Bool? {
        guard let value = member(key) else { return nil }
        guard case .bool(let flag) = value else { throw .wrong(value, expected: "true or false", at: key) }
        return flag
    }

    func word<Word: MountPointWord>(_ key: String) throws(ShapeError) -> Word { Word(rawValue: try text(key)) }

    func wordIfSaid<Word: MountPointWord>(_ key: String) throws(ShapeError) -> Word? {
        member(key) == nil ? nil : try word(key)
    }

    func positiveNumber(_ key: String) throws(ShapeError) -> Int {
        guard let number = member(key)?.intValue, number > 0 else { throw ShapeError("must be a whole number above 0", at: key) }
        return number
    }

    func map(_ key: String) throws(ShapeError) -> StringMap {
        guard let value = member(key) else { return StringMap() }
        guard case .object(let object) = value else { throw .wrong(value, expected: "an object", at: key) }
        var map = StringMap()
        map.reserveCapacity(object.count)
        for member in object.members {
            guard case .string(let text) = member.value else {
                throw .wrong(member.value, expected: "a string", at: "\(key)[\(JSONValue.string(member.key))]")
            }
            map.append(key: member.key, value: text)
        }
        return map
    }

    func list<Element>(_ key: String, of element: (JSONValue) throws(ShapeError) -> Element) throws(ShapeError) -> [Element] {
        guard let value = member(key) else { return [] }
        guard case .array(let values) = value else { throw .wrong(value, expected: "an array", at: key) }
        var list: [Element] = []
        list.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            do throws(ShapeError) {
                list.append(try element(value))
            } catch {
                throw error.inside("\(key)[\(index)]")
            }
        }
        return list
    }

    func list<Element>(_ key: String, read: (MessageObject) throws(ShapeError) -> Element) throws(ShapeError) -> [Element] {
        try list(key) { (value) throws(ShapeError) in try read(MessageObject(value)) }
    }

    /// - Returns: what `read` makes of the object of that name, and of an empty one if there is none.
    func object<Value>(_ key: String, read: (MessageObject) throws(ShapeError) -> Value) throws(ShapeError) -> Value {
        do throws(ShapeError) {
            return try read(MessageObject(member(key) ?? .object([:])))
        } catch {
            throw error.inside(key)
        }
    }
}
