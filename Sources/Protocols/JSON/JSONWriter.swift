// SPDX-License-Identifier: AGPL-3.0-or-later

/// How a document is laid out.
public enum JSONStyle: Sendable {
    /// No white space at all.
    case compact
    /// A member or element a line, two spaces a level, no line feed at the end.
    case pretty
}

extension JSONValue {
    /// The document as bytes.
    public func encoded(_ style: JSONStyle = .compact) -> [UInt8] {
        var writer = JSONWriter(style)
        writer.write(self)
        return writer.bytes
    }

    /// Appends the document to `bytes`.
    public func write(to bytes: inout [UInt8], style: JSONStyle = .compact) {
        var writer = JSONWriter(style)
        swap(&writer.bytes, &bytes)
        writer.write(self)
        swap(&writer.bytes, &bytes)
    }
}

extension JSONValue: CustomStringConvertible {
    /// The compact JSON text.
    public var description: String { String(decoding: encoded(), as: UTF8.self) }
}

/// Writes a document piece by piece, for answers that are not worth a ``JSONValue`` first.
///
/// Sees to commas and layout. It trusts its caller with the order of calls: in an object a key before each value, and an end
/// for each begin. Escapes only what RFC 8259 demands: quotes, backslashes and control characters.
public struct JSONWriter: Sendable {
    /// What has been written; may be taken, emptied or exchanged between two documents.
    public var bytes: [UInt8]
    private let style: JSONStyle
    private var depth = 0
    private var isFirst = true
    private var followsKey = false

    /// - Parameter bytes: something to append to.
    public init(_ style: JSONStyle = .compact, appendingTo bytes: [UInt8] = []) {
        self.style = style
        self.bytes = bytes
    }

    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    public mutating func key(_ key: String) {
        separate()
        appendQuoted(key)
        bytes.append(UInt8(ascii: ":"))
        if style == .pretty { bytes.append(UInt8(ascii: " ")) }
        followsKey = true
    }

    public mutating func write(_ text: String) {
        separate()
        appendQuoted(text)
    }

    public mutating func write(_ value: JSONValue) {
        switch value {
        case .null: writeWord("null")
        case .bool(let value): writeWord(value ? "true" : "false")
        case .number(let number): writeWord(number.text)
        case .string(let text): write(text)
        case .array(let elements):
            beginArray()
            for element in elements { write(element) }
            endArray()
        case .object(let object):
            beginObject()
            for member in object.members {
                key(member.key)
                write(member.value)
            }
            endObject()
        }
    }

    /// Writes a value that has been encoded before, as it is.
    public mutating func write(encoded value: [UInt8]) {
        separate()
        bytes.append(contentsOf: value)
    }

    private mutating func writeWord(_ word: String) {
        separate()
        bytes.append(contentsOf: word.utf8)
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        depth += 1
        isFirst = true
    }

    private mutating func end(_ bracket: UInt8) {
        depth -= 1
        if style == .pretty && !isFirst { breakLine() }
        bytes.append(bracket)
        isFirst = false
    }

    /// Whatever must stand between what was written and a new value or key.
    private mutating func separate() {
        if followsKey {
            followsKey = false
            return
        }
        if depth == 0 { return }
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        if style == .pretty { breakLine() }
    }

    private mutating func breakLine() {
        bytes.append(UInt8(ascii: "\n"))
        for _ in 0..<depth {
            bytes.append(UInt8(ascii: " "))
            bytes.append(UInt8(ascii: " "))
        }
    }

    private mutating func appendQuoted(_ text: String) {
        var text = text
        text.withUTF8 { appendQuoted($0) }
    }

    private mutating func appendQuoted(_ text: UnsafeBufferPointer<UInt8>) {
        // Without a way out of the loop, so that the compiler can make vector instructions of it.
        var escapes: UInt8 = 0
        for byte in text { escapes |= Self.mustEscape(byte) ? 1 : 0 }
        bytes.append(UInt8(ascii: "\""))
        if escapes == 0 {
            bytes.append(contentsOf: text)
        } else {
            for byte in text {
                if Self.mustEscape(byte) { appendEscape(of: byte) } else { bytes.append(byte) }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func mustEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func appendEscape(of byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        default:
            bytes.append(contentsOf: "u00".utf8)
            for digit in [byte >> 4, byte & 15] {
                bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }
}
