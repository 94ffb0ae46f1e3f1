// SPDX-License-Identifier: AGPL-3.0-or-later

extension JSONValue {
    /// Arrays and objects inside one another, at most. What Docker and OCI send has less than ten.
    public static let depthLimit = 128

    /// Reads a document.
    ///
    /// Strict RFC 8259: UTF-8 without a byte order mark, no lone surrogates, no comments, nothing after the value but white
    /// space. Stricter than the RFC in refusing two members with the same key, since readers differ in which one counts, and
    /// more than ``depthLimit`` levels.
    ///
    /// - Throws: `JSONError`.
    public init(parsing bytes: Span<UInt8>) throws(JSONError) {
        var parser = JSONParser()
        self = try parser.document(bytes)
    }

    /// Reads a document; see ``init(parsing:)-(Span<UInt8>)``.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        try self.init(parsing: bytes.span)
    }

    /// Reads a document; see ``init(parsing:)-(Span<UInt8>)``.
    public init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8).span)
    }
}

extension JSONNumber {
    /// - Returns: nil if `text` is not a JSON number.
    public init?(text: String) {
        guard case .number(let number)? = try? JSONValue(parsing: text), number.text.utf8.count == text.utf8.count else { return nil }
        self = number
    }
}

/// Recursive descent over bytes that are passed along, since a span may not be stored without unsafe code.
private struct JSONParser {
    private var position = 0
    private var depth = 0

    mutating func document(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        skipWhiteSpace(bytes)
        let result = try value(bytes)
        skipWhiteSpace(bytes)
        if position != bytes.count { throw error("nothing may follow the document", bytes) }
        return result
    }

    private mutating func value(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        guard let first = current(bytes) else { throw error("", bytes) }
        switch first {
        case UInt8(ascii: "\""): return .string(try string(bytes))
        case UInt8(ascii: "{"): return .object(try object(bytes))
        case UInt8(ascii: "["): return .array(try array(bytes))
        case UInt8(ascii: "t"): return try word("true", .bool(true), bytes)
        case UInt8(ascii: "f"): return try word("false", .bool(false), bytes)
        case UInt8(ascii: "n"): return try word("null", .null, bytes)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number(bytes))
        default: throw error("a value must stand here", bytes)
        }
    }

    private mutating func array(_ bytes: Span<UInt8>) throws(JSONError) -> [JSONValue] {
        try enter(bytes)
        if consumeEnd("]", bytes) { return [] }
        var elements: [JSONValue] = []
        repeat {
            skipWhiteSpace(bytes)
            elements.append(try value(bytes))
            skipWhiteSpace(bytes)
        } while consume(",", bytes)
        guard consumeEnd("]", bytes) else { throw error("a comma or ] must follow", bytes) }
        return elements
    }

    private mutating func object(_ bytes: Span<UInt8>) throws(JSONError) -> JSONObject {
        try enter(bytes)
        if consumeEnd("}", bytes) { return JSONObject() }
        var members: [JSONObject.Member] = []
        var seen = SeenKeys()
        repeat {
            skipWhiteSpace(bytes)
            let start = position
            guard current(bytes) == UInt8(ascii: "\"") else { throw error("a key in quotes must stand here", bytes) }
            let key = try string(bytes)
            guard seen.insert(key, after: members) else {
                throw JSONError("the key \(JSONValue.string(key)) is there twice", at: start, in: bytes)
            }
            skipWhiteSpace(bytes)
            guard consume(":", bytes) else { throw error("a colon must follow the key", bytes) }
            skipWhiteSpace(bytes)
            members.append(.init(key: key, value: try value(bytes)))
            skipWhiteSpace(bytes)
        } while consume(",", bytes)
        guard consumeEnd("}", bytes) else { throw error("a comma or } must follow", bytes) }
        return JSONObject(uniqueMembers: members)
    }

    /// Steps over an opening bracket and the white space after it.
    private mutating func enter(_ bytes: Span<UInt8>) throws(JSONError) {
        depth += 1
        if depth > JSONValue.depthLimit { throw error("more than \(JSONValue.depthLimit) levels", bytes) }
        position += 1
        skipWhiteSpace(bytes)
    }

    private mutating func consumeEnd(_ bracket: Unicode.Scalar, _ bytes: Span<UInt8>) -> Bool {
        guard consume(bracket, bytes) else { return false }
        depth -= 1
        return true
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue, _ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        for index in 0..<word.utf8CodeUnitCount {
            guard current(bytes) == word.utf8Start[index] else { throw error("only \(word) can stand here", bytes) }
            position += 1
        }
        return value
    }

    private mutating func number(_ bytes: Span<UInt8>) throws(JSONError) -> JSONNumber {
        let start = position
        _ = consume("-", bytes)
        if consume("0", bytes) {
            if isDigit(current(bytes)) { throw error("a number may not have leading zeros", bytes) }
        } else {
            try digits(bytes)
        }
        if consume(".", bytes) { try digits(bytes) }
        if consume("e", bytes) || consume("E", bytes) {
            if !consume("+", bytes) { _ = consume("-", bytes) }
            try digits(bytes)
        }
        return JSONNumber(validated: try text(start..<position, bytes))
    }

    private mutating func digits(_ bytes: Span<UInt8>) throws(JSONError) {
        guard isDigit(current(bytes)) else { throw error("a digit must stand here", bytes) }
        repeat { position += 1 } while isDigit(current(bytes))
    }

    private mutating func string(_ bytes: Span<UInt8>) throws(JSONError) -> String {
        position += 1
        let start = position
        var hasEscapes = false
        while true {
            guard position < bytes.count else { throw error("", bytes) }
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") { break }
            if byte < 0x20 { throw error("a control character in quotes must be escaped", bytes) }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                position += 1
            }
            position += 1
        }
        let content = start..<position
        position += 1
        let raw = try text(content, bytes)
        if !hasEscapes { return raw }
        return String(decoding: try JSONUnescaping.unescape(content, in: bytes), as: UTF8.self)
    }

    private func text(_ range: Range<Int>, _ bytes: Span<UInt8>) throws(JSONError) -> String {
        do {
            return String(copying: try UTF8Span(validating: bytes.extracting(range)))
        } catch {
            throw JSONError("the bytes are not UTF-8", at: range.lowerBound + error.byteOffsets.lowerBound, in: bytes)
        }
    }

    private func current(_ bytes: Span<UInt8>) -> UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func consume(_ character: Unicode.Scalar, _ bytes: Span<UInt8>) -> Bool {
        guard current(bytes) == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipWhiteSpace(_ bytes: Span<UInt8>) {
        while let byte = current(bytes), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func isDigit(_ byte: UInt8?) -> Bool {
        guard let byte else { return false }
        return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    /// The reason counts only if there is a byte to blame it on.
    private func error(_ reason: String, _ bytes: Span<UInt8>) -> JSONError {
        if position >= bytes.count { return JSONError("the document ends too early", at: bytes.count, in: bytes) }
        return JSONError(reason, at: position, in: bytes)
    }
}

/// Finds a second member of the same name: by comparing for the usual small object, by hashing for a large one, where comparing
/// would let a hostile document of 1 MB take minutes.
private struct SeenKeys {
    private static let comparedAtMost = 16
    private var large: Set<KeyBytes> = []

    /// - Returns: false if the key is there already.
    mutating func insert(_ key: String, after members: [JSONObject.Member]) -> Bool {
        if members.count < Self.comparedAtMost {
            return !members.contains { $0.key.hasSameBytes(as: key) }
        }
        if large.isEmpty {
            for member in members { large.insert(KeyBytes(text: member.key)) }
        }
        return large.insert(KeyBytes(text: key)).inserted
    }

    private struct KeyBytes: Hashable {
        let text: String

        static func == (left: KeyBytes, right: KeyBytes) -> Bool { left.text.hasSameBytes(as: right.text) }

        func hash(into hasher: inout Hasher) {
            for byte in text.utf8 { hasher.combine(byte) }
        }
    }
}
