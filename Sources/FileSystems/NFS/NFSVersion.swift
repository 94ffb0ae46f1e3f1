// SPDX-License-Identifier: AGPL-3.0-or-later

/// A full version of the NFS protocol, as the kernel wants it: always with the minor number for version 4.
public enum NFSVersion: String, Sendable, CaseIterable, Comparable {
    case v3 = "3"
    case v4_0 = "4.0"
    case v4_1 = "4.1"
    case v4_2 = "4.2"

    /// The file system type to ask the kernel for.
    public var fileSystem: String { self == .v3 ? "nfs" : "nfs4" }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Which versions may be tried, best first.
public struct VersionPolicy: Sendable, Equatable {
    public let candidates: [NFSVersion]
    /// As the user wrote it.
    public let text: String

    /// Any minor version of 4, the highest first.
    static let four = VersionPolicy([.v4_2, .v4_1, .v4_0], "4")
    public static let auto = VersionPolicy([.v4_2, .v4_1, .v4_0, .v3], "auto")

    /// Reads `4.2`, `4.1`, `4.0`, `3`, `4` (any minor version, the highest first) or `auto` (down to 3).
    public init?(_ text: String) {
        switch text {
        case "auto": self = .auto
        case "4": self = .four
        default:
            guard let version = NFSVersion(rawValue: text) else { return nil }
            self.init([version], text)
        }
    }

    private init(_ candidates: [NFSVersion], _ text: String) {
        self.candidates = candidates
        self.text = text
    }
}

extension VersionPolicy {
    /// 4.1, alone.
    public static let `default` = VersionPolicy([.v4_1], "4.1")
}
