// SPDX-License-Identifier: AGPL-3.0-or-later

/// Why the engine's view of a container's mounts is unknown; one line. The container must not start then, because a mount could pass
/// the plugins that would have denied it.
public struct EngineFilesError: Error, Sendable, CustomStringConvertible {
    public let description: String
    /// The error below it, if there is one.
    public let cause: (any Error)?

    public init(_ description: String, cause: (any Error)? = nil) {
        self.description = description
        self.cause = cause
    }

    /// A file that is there and cannot be used.
    public init(_ path: String, _ reason: String, hint: String? = nil, cause: (any Error)? = nil) {
        self.init("cannot use \(path): \(reason)" + (hint.map { "; \($0)" } ?? ""), cause: cause)
    }

    /// The same, if an error says why.
    public init(_ path: String, _ cause: some Error & CustomStringConvertible, hint: String? = nil) {
        self.init(path, cause.description, hint: hint, cause: cause)
    }
}

extension EngineFilesError: Equatable {
    /// Without the causes, which cannot be compared.
    public static func == (one: EngineFilesError, other: EngineFilesError) -> Bool { one.description == other.description }
}
