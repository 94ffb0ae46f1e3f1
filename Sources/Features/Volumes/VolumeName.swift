// SPDX-License-Identifier: AGPL-3.0-or-later

/// A volume's name, and the one name of its folder and files on this host.
///
/// An engine may restrict nothing in the names it hands over: slashes, dots and any bytes pass. So a name is never a path
/// component as it is; what is not a letter, digit, `_`, `-` or inner `.` is written as `%` and two hexadecimal digits.
public struct VolumeName: Sendable, Hashable, CustomStringConvertible {
    public let text: String
    /// The encoded name: ASCII, not empty, no slash, no leading dot; the same for equal bytes only. (Two Swift strings are
    /// equal if they look the same; two volumes must not be.)
    public let fileName: String

    /// NAME_MAX is 255; files add a suffix, and an archive a time.
    private static let longestFileName = 200

    /// nil for an empty name or one that is too long.
    public init?(_ text: String) {
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "_"), UInt8(ascii: "-"):
                encoded.append(byte)
            case UInt8(ascii: ".") where !encoded.isEmpty:
                encoded.append(byte)
            default:
                encoded.append(UInt8(ascii: "%"))
                encoded.append(Self.hexadecimal(byte >> 4))
                encoded.append(Self.hexadecimal(byte & 15))
            }
        }
        guard !encoded.isEmpty, encoded.count <= Self.longestFileName else { return nil }
        self.text = text
        fileName = String(decoding: encoded, as: UTF8.self)
    }

    /// The volume that a file or folder has its name of; nil if none has.
    package init?(fileName: Substring) {
        var bytes: [UInt8] = []
        var rest = fileName.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let value = UInt8(String(Substring(rest.prefix(2))), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        self.init(text)
        // There are several ways to write a name with %, and this is the one that counts.
        if self.fileName != fileName { return nil }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
    }

    public static func == (left: Self, right: Self) -> Bool { left.fileName == right.fileName }
    public func hash(into hasher: inout Hasher) { hasher.combine(fileName) }

    public var description: String { text }
}
