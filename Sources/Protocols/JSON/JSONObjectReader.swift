// SPDX-License-Identifier: AGPL-3.0-or-later

/// A JSON object, and its members by type.
///
/// As Go's encoding/json has it, a member that is missing and one that is null are the same: it has its type's empty value, or nil where
/// a reader asks whether it is present. One of another type is an error. Members that no reader asks for are ignored; an object made by
/// ``notingUnread()`` can name them.
public struct JSONObjectReader {
    /// Which spellings of a member's name are read.
    public enum Names: Sendable {
        case exact
        /// Any letter case, as Go's decoder takes them. One in the exact spelling is preferred, then the last.
        case anyCase
    }

    public let members: JSONObject
    private let names: Names
    private let location: JSONPlace
    /// Which members have been asked for, here.
    private let marks: Marks?
    /// The same of this object and all inside it.
    private let notes: Notes?

    private final class Marks {
        var isRead: [Bool]

        init(_ count: Int) { isRead = Array(repeating: false, count: count) }
    }

    private final class Notes {
        var objects: [(members: JSONObject, location: JSONPlace, marks: Marks)] = []
    }

    /// - Throws: `JSONShapeError` for what is not JSON, and for a document that is not an object.
    public init(parsing bytes: Span<UInt8>, names: Names = .exact) throws(JSONShapeError) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw JSONShapeError("is not valid JSON: \(error)")
        }
        guard case .object(let members) = value else { throw JSONShapeError("must be a JSON object, not \(value.kind)") }
        self.init(members: members, names, .document, nil)
    }

    /// - Throws: `JSONShapeError` for what is not JSON, and for a document that is not an object.
    public init(parsing bytes: [UInt8], names: Names = .exact) throws(JSONShapeError) { try self.init(parsing: bytes.span, names: names) }

    /// - Throws: `JSONShapeError` for what is not an object.
    public init(_ value: JSONValue, names: Names = .exact) throws(JSONShapeError) { try self.init(value, names, .document, nil) }

    private init(_ value: JSONValue, _ names: Names, _ location: JSONPlace, _ notes: Notes?) throws(JSONShapeError) {
        guard case .object(let members) = value else { throw Self.wrong(value, expected: "an object", at: location) }
        self.init(members: members, names, location, notes)
    }

    private init(members: JSONObject, _ names: Names, _ location: JSONPlace, _ notes: Notes?) {
        self.members = members
        self.names = names
        self.location = location
        self.notes = notes
        marks = notes.map { _ in Marks(members.count) }
        if let notes, let marks { notes.objects.append((members, location, marks)) }
    }

    /// The same object, which notes from now on which members are asked for, in itself and in objects inside.
    public func notingUnread() -> JSONObjectReader { JSONObjectReader(members: members, names, location, Notes()) }

    /// The places of members that no reader has asked for, such as `Patterns[0].Soruce`. Empty unless ``notingUnread()`` has made this object.
    public var unreadMembers: [String] {
        (notes?.objects ?? []).flatMap { object in
            zip(object.members.members, object.marks.isRead).compactMap { member, isRead in
                isRead ? nil : JSONPlace.member(object.location, member.key).text
            }
        }
    }

    // MARK: Members

    private func member(_ key: String) -> JSONValue? {
        guard let index = index(of: key) else { return nil }
        marks?.isRead[index] = true
        let value = members.members[index].value
        return value.isNull ? nil : value
    }

    private func index(of key: String) -> Int? {
        var found: Int?
        for (index, member) in members.members.enumerated() {
            if member.key.hasSameBytes(as: key) { return index }
            if names == .anyCase, Self.isOtherSpelling(member.key, of: key) {
                marks?.isRead[index] = true
                found = index
            }
        }
        return found
    }

    /// Whether it is said at all; null is not.
    public func has(_ key: String) -> Bool { member(key) != nil }

    /// What `read` finds there.
    ///
    /// - Throws: `JSONShapeError` if there is nothing.
    public func need<Value>(
        _ key: String, _ read: (String) throws(JSONShapeError) -> Value?
    ) throws(JSONShapeError) -> Value {
        guard let value = try read(key) else { throw JSONShapeError("has no \(key)", at: location.text) }
        return value
    }

    public func textIfPresent(_ key: String) throws(JSONShapeError) -> String? {
        guard let value = member(key) else { return nil }
        return try Self.text(value, at: .member(location, key))
    }

    public func text(_ key: String) throws(JSONShapeError) -> String { try textIfPresent(key) ?? "" }

    /// - Throws: `JSONShapeError` for an empty one, too.
    public func requiredText(_ key: String) throws(JSONShapeError) -> String {
        let text = try text(key)
        if text.isEmpty { throw error("must be there and not be empty", at: key) }
        return text
    }

    public func flagIfPresent(_ key: String) throws(JSONShapeError) -> Bool? {
        guard let value = member(key) else { return nil }
        guard case .bool(let flag) = value else { throw Self.wrong(value, expected: "true or false", at: .member(location, key)) }
        return flag
    }

    public func flag(_ key: String) throws(JSONShapeError) -> Bool { try flagIfPresent(key) ?? false }

    /// A whole number, spelled as one (`1.0` and `1e3` are not), that fits the type.
    public func numberIfPresent<Number: FixedWidthInteger>(_ key: String) throws(JSONShapeError) -> Number? {
        guard let value = member(key) else { return nil }
        return try Self.number(value, at: .member(location, key))
    }

    public func number<Number: FixedWidthInteger>(_ key: String) throws(JSONShapeError) -> Number { try numberIfPresent(key) ?? 0 }

    /// Seconds, whole or not.
    public func secondsIfPresent(_ key: String) throws(JSONShapeError) -> Double? {
        guard let value = member(key) else { return nil }
        guard let seconds = value.doubleValue, seconds >= 0, seconds.isFinite else {
            throw error("must be a number of seconds, not \(value.doubleValue == nil ? value.kind : value.description)", at: key)
        }
        return seconds
    }

    // MARK: Lists

    private func valuesIfPresent(_ key: String) throws(JSONShapeError) -> [JSONValue]? {
        guard let value = member(key) else { return nil }
        guard case .array(let values) = value else { throw Self.wrong(value, expected: "an array", at: .member(location, key)) }
        return values
    }

    private func listIfPresent<Element>(
        _ key: String, _ read: (JSONValue, JSONPlace) throws(JSONShapeError) -> Element
    ) throws(JSONShapeError) -> [Element]? {
        guard let values = try valuesIfPresent(key) else { return nil }
        var list: [Element] = []
        list.reserveCapacity(values.count)
        for (index, value) in values.enumerated() { list.append(try read(value, .element(.member(location, key), index))) }
        return list
    }

    public func textsIfPresent(_ key: String) throws(JSONShapeError) -> [String]? {
        try listIfPresent(key) { (value, place) throws(JSONShapeError) in try Self.text(value, at: place) }
    }

    public func texts(_ key: String) throws(JSONShapeError) -> [String] { try textsIfPresent(key) ?? [] }

    public func numbersIfPresent<Number: FixedWidthInteger>(_ key: String) throws(JSONShapeError) -> [Number]? {
        try listIfPresent(key) { (value, place) throws(JSONShapeError) in try Self.number(value, at: place) }
    }

    public func numbers<Number: FixedWidthInteger>(_ key: String) throws(JSONShapeError) -> [Number] { try numbersIfPresent(key) ?? [] }

    public func listIfPresent<Element>(
        _ key: String, of read: (JSONObjectReader) throws(JSONShapeError) -> Element
    ) throws(JSONShapeError) -> [Element]? {
        try listIfPresent(key) { (value, place) throws(JSONShapeError) in try read(try JSONObjectReader(value, names, place, notes)) }
    }

    /// What `read` makes of each object in a list.
    public func list<Element>(
        _ key: String, of read: (JSONObjectReader) throws(JSONShapeError) -> Element
    ) throws(JSONShapeError) -> [Element] {
        try listIfPresent(key, of: read) ?? []
    }

    // MARK: Objects

    public func objectIfPresent(_ key: String) throws(JSONShapeError) -> JSONObjectReader? {
        guard let value = member(key) else { return nil }
        return try JSONObjectReader(value, names, .member(location, key), notes)
    }

    /// Without members if there is none.
    public func object(_ key: String) throws(JSONShapeError) -> JSONObjectReader {
        try objectIfPresent(key) ?? JSONObjectReader(members: [:], names, .member(location, key), notes)
    }

    /// What all members are, each of which must be an object.
    public func objectsInside() throws(JSONShapeError) -> [JSONObjectReader] {
        var objects: [JSONObjectReader] = []
        for member in members.members { objects.append(try JSONObjectReader(member.value, names, .member(location, member.key), notes)) }
        return objects
    }

    /// An object with nothing but text in it, whose keys are free words, in the order written. Null is the empty text.
    ///
    /// - Parameter append: gets each key with its text.
    public func forEachText(in key: String, _ append: (_ count: Int, _ key: String, _ text: String) -> Void) throws(JSONShapeError) {
        let object = try object(key)
        object.marks?.isRead = Array(repeating: true, count: object.members.count)
        for member in object.members.members {
            let text = member.value.isNull ? "" : try Self.text(member.value, at: .entry(object.location, member.key))
            append(object.members.count, member.key, text)
        }
    }

    // MARK: Errors

    /// - Parameters:
    ///   - reason: what is to follow the place in a sentence.
    ///   - key: of the member that is wrong; nil for the object.
    public func error(_ reason: String, at key: String? = nil) -> JSONShapeError {
        JSONShapeError(reason, at: (key.map { .member(location, $0) } ?? location).text)
    }

    private static func text(_ value: JSONValue, at place: JSONPlace) throws(JSONShapeError) -> String {
        guard case .string(let text) = value else { throw wrong(value, expected: "a string", at: place) }
        return text
    }

    private static func number<Number: FixedWidthInteger>(_ value: JSONValue, at place: JSONPlace) throws(JSONShapeError) -> Number {
        guard case .number(let spelled) = value, let number = Number(spelled.text) else {
            let found = value.doubleValue == nil ? value.kind : value.description
            let range = Number.bitWidth < Int.bitWidth ? " from \(Number.min) to \(Number.max)" : ""
            throw JSONShapeError("must be a whole number\(range), not \(found)", at: place.text)
        }
        return number
    }

    private static func wrong(_ value: JSONValue, expected: String, at place: JSONPlace) -> JSONShapeError {
        JSONShapeError("must be \(expected), not \(value.kind)", at: place.text)
    }
}

extension JSONObjectReader {
    /// The first member with a name that is one of these keys in another spelling, which some readers take for the key and others do not.
    ///
    /// - Returns: its place, and the key that it is a spelling of.
    public func otherSpelling(of keys: [String]) -> (place: String, key: String)? {
        for member in members.members where !keys.contains(where: { $0.hasSameBytes(as: member.key) }) {
            if let key = keys.first(where: { Self.isOtherSpelling(member.key, of: $0) }) {
                return (JSONPlace.member(location, member.key).text, key)
            }
        }
        return nil
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
}
