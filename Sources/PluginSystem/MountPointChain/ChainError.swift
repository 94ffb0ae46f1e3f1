// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

/// Why a container does not start: a plugin has failed, or what is to be known of it could not be recorded.
public struct ChainError: Error, Sendable {
    /// Who or what has failed.
    public enum Kind: Sendable {
        /// A plugin cannot be found, reached or loaded.
        case unreachable
        /// A plugin answered that it failed: an HTTP error status, or `Success` false.
        case refused
        /// A plugin was asked; the answer never came, came too late or cannot be understood.
        case unclear
        /// A plugin's answer asks for what cannot be done.
        case invalidAnswer
        /// The host cannot record whom it asks, or what was attached.
        case notRecorded
        /// The host cannot tell what the sources of mounts show.
        case sources
    }

    public var kind: Kind
    /// Who has failed, without `plugin:`; nil if it was the host.
    public var plugin: String?
    /// A plugin's words, fit for a terminal; line breaks are `; `.
    public let message: String
    /// The error below it, if there is one.
    public var cause: (any Error)?
    /// How it went to have the plugins detach that had attached.
    public var undoing: UnwindingOutcome

    public init(
        _ kind: Kind, plugin: String?, message: String, cause: (any Error)? = nil, undoing: UnwindingOutcome = UnwindingOutcome()
    ) {
        self.kind = kind
        self.plugin = plugin
        self.message = SanitizedText(message).text
        self.cause = cause
        self.undoing = undoing
    }

    /// The failure of a plugin's call.
    init(_ error: ChainedPluginError, of plugin: String) {
        self.init(Kind(error.kind), plugin: plugin, message: error.message, cause: error)
    }
}

extension ChainError.Kind {
    fileprivate init(_ kind: ChainedPluginError.Kind) {
        self =
            switch kind {
            case .notSent: .unreachable
            case .notRecorded: .notRecorded
            case .refused: .refused
            case .unclear: .unclear
            }
    }
}

extension ChainError: Equatable {
    /// Without the causes, which cannot be compared.
    public static func == (one: ChainError, other: ChainError) -> Bool {
        one.kind == other.kind && one.plugin == other.plugin && one.message == other.message && one.undoing == other.undoing
    }
}

/// The message of a plugin that failed without words.
let noReason = "it gave no reason"

extension ChainError: CustomStringConvertible {
    /// `middleware plugin:NAME failed with error: MESSAGE`, and in parentheses behind it what else went wrong.
    public var description: String {
        let cause = plugin.map { "middleware plugin:\($0) failed with error: \(message.isEmpty ? noReason : message)" } ?? message
        return undoing.failures.isEmpty ? cause : "\(cause) (and undoing failed: \(undoing.failures.joined(separator: "; ")))"
    }
}
