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
/// error. Names are taken in any letter case, as Go's decoder takes them; one in the exact spelling is preferred, then the last. Members
/// that nobody asks for are ignored; they can be named where somebody wants to know (``noteUnread()``).
struct MessageObject {
    let members: JSONObject
    private let reading: Reading?

    /// Which members have been asked for.
    private final class Reading {
        var isRead: [Bool]
        /// Places of members that nobody has asked for in objects inside.
        var unreadInside: [String] = []

        init(_ count: Int) { isRead = Array(repeating: false, count: count) }
    }

    init(parsing body: Span<UInt8>) throws(ShapeError) {
        if body.isEmpty { throw ShapeError("has no body") }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: body)
        } catch {
            throw ShapeError("is not valid JSON: \(error)")
        }
        guard case .object(let members) = value else { throw .wrong(value, expected: "a JSON object") }
        self.init(members, isNoted: false)
    }

    init(_ value: JSONValue) throws(ShapeError) { try self.init(value, isNoted: false) }

    private init(_ value: JSONValue, isNoted: Bool) throws(ShapeError) {
        guard case .object(let members) = value else { throw .wrong(value, expected: "an object") }
        self.init(members, isNoted: isNoted)
    }

    private init(_ members: JSONObject, isNoted: Bool) {
        self.members = members
        reading = isNoted ? Reading(members.count) : nil
    }

    /// The same object, which notes from now on which members are asked for, in itself and in objects inside.
    func noteUnread() -> MessageObject { MessageObject(members, isNoted: true) }

    /// The places of members that nobody has asked for, such as `Patterns[0].Soruce`. Empty unless ``noteUnread()`` has made this object.
    var unreadMembers: [String] {
        guard let reading else { return [] }
        return zip(members.members, reading.isRead).compactMap { $1 ? nil : $0.key } + reading.unreadInside
    }

    static func text(_ value: JSONValue) throws(ShapeError) -> String {
        guard case .string(let text) = value else { throw .wrong(value, expected: "a string") }
        return text
    }

    /// The member of that name, if it is there and not null.
    private func member(_ key: String) -> JSONValue? {
        guard let index = index(of: key) else { return nil }
        let value = members.members[index].value
        return value.isNull ? nil : value
    }

    private func index(of key: String) -> Int? {
        var found: Int?
        for (index, member) in members.members.enumerated() {
            if member.key.utf8.elementsEqual(key.utf8) {
                reading?.isRead[index] = true
                return index
            }
            if Self.isOtherSpelling(member.key, of: key) {
                reading?.isRead[index] = true
                found = index
            }
        }
        return found
    }

    /// Case folding as of Go's encoding/json, which makes of the long s an `s`, and of the Kelvin sign a `k`.
    private static func isOtherSpelling(_ text: String, of key: String) -> Bool {
        let bytes = text.utf8
        // The two that are not ASCII have two and three bytes in the place of one.
        if bytes.count < key.utf8.count || bytes.count > 3 * key.utf8.count { return false }
        guard text.unicodeScalars.count == key.unicodeScalars.count else { return false }
        return zip(text.unicodeScalars, key.unicodeScalars).allSatisfy { folded($0) == folded($1) }
    }

    private static func folded(_ scalar: Unicode.Scalar) -> UInt32 {
        switch scalar {
        case "A"..."Z": scalar.value + 0x20
        case "\u{17F}": 0x73
        case "\u{212A}": 0x6b
        default: scalar.value
        }
    }

    /// What `read` makes of an object inside this one.
    private func inside<Value>(
        _ value: JSONValue, _ place: () -> String, _ read: (MessageObject) throws(ShapeError) -> Value
    ) throws(ShapeError) -> Value {
        let object = try MessageObject(value, isNoted: reading != nil)
        let result = try read(object)
        let unread = object.unreadMembers
        if !unread.isEmpty {
            let place = place()
            reading?.unreadInside += unread.map { "\(place).\($0)" }
        }
        return result
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

    func number<Number: FixedWidthInteger>(_ key: String) throws(ShapeError) -> Number? {
        guard let value = member(key) else { return nil }
        return try Self.number(value, at: key)
    }

    static func number<Number: FixedWidthInteger>(_ value: JSONValue, at place: String = "") throws(ShapeError) -> Number {
        guard case .number(let spelled) = value, let number = Number(spelled.text) else {
            throw ShapeError("must be a whole number from \(Number.min) to \(Number.max)", at: place)
        }
        return number
    }

    /// Seconds; nil for 0, which is what Go sends of a number that nobody has set.
    func seconds(_ key: String) throws(ShapeError) -> Double? {
        guard let value = member(key) else { return nil }
        guard let seconds = value.doubleValue, seconds >= 0, seconds.isFinite else {
            throw ShapeError("must be a number of seconds, not \(value.doubleValue == nil ? value.kind : value.description)", at: key)
        }
        return seconds == 0 ? nil : seconds
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
        var index = 0
        return try list(key) { (value) throws(ShapeError) in
            defer { index += 1 }
            return try inside(value, { "\(key)[\(index)]" }, read)
        }
    }

    /// - Returns: what `read` makes of the object of that name, and of an empty one if there is none.
    func object<Value>(_ key: String, read: (MessageObject) throws(ShapeError) -> Value) throws(ShapeError) -> Value {
        do throws(ShapeError) {
            return try inside(member(key) ?? .object([:]), { key }, read)
        } catch {
            throw error.inside(key)
        }
    }

    /// - Returns: nil if there is none.
    func objectIfSaid<Value>(_ key: String, read: (MessageObject) throws(ShapeError) -> Value) throws(ShapeError) -> Value? {
        member(key) == nil ? nil : try object(key, read: read)
    }
}
