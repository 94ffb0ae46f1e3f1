// SPDX-License-Identifier: AGPL-3.0-or-later

/// A path as a command line has it: its bytes, which need not be UTF-8.
public struct PathArgument: Sendable, Hashable {
    public let bytes: [UInt8]

    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// nil if the bytes are not UTF-8.
    public var text: String? { String(validating: bytes, as: UTF8.self) }
}

extension PathArgument: ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self.init(bytes: Array(value.utf8)) }
}
