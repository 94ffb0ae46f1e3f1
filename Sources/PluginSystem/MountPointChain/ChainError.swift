// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

/// Why a container does not start: a plugin has failed, or what is to be known of it could not be recorded.
public struct ChainError: Error, Sendable, Equatable {
    /// Who has failed, without `plugin:`; nil if it was the host.
    public var plugin: String?
    /// A plugin's words, fit for a terminal; line breaks are `; `.
    public let message: String
    /// How it went to have the plugins detach that had attached.
    public var undoing: UnwindingOutcome

    public init(plugin: String?, message: String, undoing: UnwindingOutcome = UnwindingOutcome()) {
        self.plugin = plugin
        self.message = SanitizedText(message).text
        self.undoing = undoing
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
