// SPDX-License-Identifier: AGPL-3.0-or-later

/// The escapes of RFC 8259 section 7.
enum JSONUnescaping {
    /// - Parameter range: the text between its quotes; valid UTF-8, and not ending with a backslash.
    /// - Returns: valid UTF-8.
    static func unescape(_ range: Range<Int>, in bytes: Span<UInt8>) throws(JSONError) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var position = range.lowerBound
        while position < range.upperBound {
            let byte = bytes[position]
            if byte != UInt8(ascii: "\\") {
                result.append(byte)
                position += 1
                continue
            }
            let escape = bytes[position + 1]
            if escape == UInt8(ascii: "u") {
                let scalar = try self.scalar(at: &position, in: bytes, until: range.upperBound)
                result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
                continue
            }
            guard let plain = plainByte(escape) else {
                throw JSONError("no such escape", at: position, in: bytes)
            }
            result.append(plain)
            position += 2
        }
        return result
    }

    private static func plainByte(_ escape: UInt8) -> UInt8? {
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): escape
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    /// Reads `\uXXXX`, or two of them that are one code point past U+FFFF, and moves `position` behind it.
    private static func scalar(at position: inout Int, in bytes: Span<UInt8>, until end: Int) throws(JSONError) -> Unicode.Scalar {
        let start = position
        let first = try codeUnit(at: position, in: bytes, until: end)
        position += 6
        if let scalar = Unicode.Scalar(first) { return scalar }
        if first < 0xDC00, position < end, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u") {
            let second = try codeUnit(at: position, in: bytes, until: end)
            if (0xDC00...0xDFFF).contains(second), let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)) {
                position += 6
                return scalar
            }
        }
        throw JSONError("half of a surrogate pair", at: start, in: bytes)
    }

    private static func codeUnit(at position: Int, in bytes: Span<UInt8>, until end: Int) throws(JSONError) -> UInt32 {
        var unit: UInt32 = 0
        for index in position + 2..<position + 6 {
            guard index < end, let digit = hexDigit(bytes[index]) else {
                throw JSONError("\\u needs four hexadecimal digits", at: position, in: bytes)
            }
            unit = unit << 4 | digit
        }
        return unit
    }

    private static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
