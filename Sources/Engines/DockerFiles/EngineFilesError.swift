// SPDX-License-Identifier: AGPL-3.0-or-later

/// Why the engine's view of a container's mounts is unknown; one line. The container must not start then, because a mount could pass
/// the plugins that would have denied it.
public struct EngineFilesError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }

    /// A file that is there and cannot be used.
    public init(_ path: String, _ reason: some CustomStringConvertible, hint: String? = nil) {
        description = "cannot use \(path): \(reason)" + (hint.map { "; \($0)" } ?? "")
    }
}
