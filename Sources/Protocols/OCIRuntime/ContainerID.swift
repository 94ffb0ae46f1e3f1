// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// A container's name that is safe as the name of a file: what runc accepts, and no longer than a file's name may be.
public struct ContainerID: Sendable, Hashable, CustomStringConvertible {
    /// Bytes. runc itself has no limit and crun none but the file system's, which is this (NAME_MAX of limits.h).
    public static let lengthLimit = 255

    /// ASCII letters, digits, `_`, `+`, `-` and `.`; neither empty nor `.` nor `..`.
    public let text: String

    /// - Throws: `ContainerIDError`.
    public init(_ text: String) throws(ContainerIDError) {
        if text.isEmpty { throw ContainerIDError("a container id must not be empty") }
        if text.utf8.count > Self.lengthLimit {
            throw ContainerIDError("the container id is \(text.utf8.count) bytes long, and \(Self.lengthLimit) is the most")
        }
        if text == "." || text == ".." { throw ContainerIDError("the container id must not be \(text), which names a folder") }
        if !text.utf8.allSatisfy(Self.isAllowed) {
            throw ContainerIDError(
                "the container id \(JSONValue.string(text)) must have only ASCII letters, digits and the characters _ + - . in it")
        }
        self.text = text
    }

    public var description: String { text }

    // validateID of runc's libcontainer. Its expression in some versions lets a comma pass, by the range from + to . in it.
    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

/// Why a text cannot be a container's id; one line.
public struct ContainerIDError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
