// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// One word of a comma-separated option list: `hard`, or `timeo=100`.
public struct MountOption: Sendable, Hashable, CustomStringConvertible {
    public var key: String
    public var value: String?
    /// Whether the value is for the kernel alone, such as a password: no error and no log shows it.
    public var isSecret: Bool

    public init(_ key: String, _ value: String? = nil, isSecret: Bool = false) {
        self.key = key
        self.value = value
        self.isSecret = isSecret
    }

    /// By bytes.
    public static func == (left: Self, right: Self) -> Bool {
        left.text.hasSameBytes(as: right.text) && (left.value == nil) == (right.value == nil) && left.isSecret == right.isSecret
    }

    public func hash(into hasher: inout Hasher) { for byte in text.utf8 { hasher.combine(byte) } }

    /// For the kernel.
    var text: String { value.map { "\(key)=\($0)" } ?? key }

    /// For a person.
    public var description: String { isSecret && value != nil ? "\(key)=<hidden>" : text }

    /// Splits a list at its commas; a comma inside double quotes does not split, as in mount(8). Empty words are passed over.
    ///
    /// - Throws: `StorageError` (`bad-option`) for a control character, a double quote without its pair, or a value without a name.
    public static func list(_ text: String) throws(StorageError) -> [MountOption] {
        var words: [[UInt8]] = [[]]
        var quoted = false
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") {
                quoted.toggle()
            } else if byte == UInt8(ascii: ","), !quoted {
                words.append([])
            } else if byte < 0x20 || byte == 0x7f {
                throw StorageError(
                    .badOption, "option o has a control character in it; write the mount options as in mount(8), separated by commas")
            } else {
                words[words.count - 1].append(byte)
            }
        }
        if quoted { throw StorageError(.badOption, "option o has a double quote without its pair") }
        if let nameless = words.first(where: { $0.first == UInt8(ascii: "=") }) {
            throw StorageError(
                .badOption, "option o has a value without a name: \(String(decoding: nameless, as: UTF8.self)); write NAME=VALUE")
        }
        return words.filter { !$0.isEmpty }.map { word in
            let parts = word.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let key = String(decoding: parts[0], as: UTF8.self)
            return MountOption(key, parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : nil)
        }
    }
}
