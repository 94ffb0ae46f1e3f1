// SPDX-License-Identifier: AGPL-3.0-or-later

/// A call that got no answer, or a refusal.
public struct PluginClientError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// The plugin has not seen the whole request, and cannot have acted on it.
        case notSent
        /// The file that records the call could not be put in its place, so the call was not made.
        case notRecorded
        /// The plugin said no: by an HTTP status, or (200) in the answer itself. `words` are the plugin's own, one line; empty if it had none.
        case refused(status: Int, words: String)
        /// The whole request may have arrived; whether the plugin acted on it is not known.
        case unclear
    }

    public var kind: Kind
    public var plugin: String
    /// One line for a person: which plugin, where, what failed, what to do.
    public var message: String
    /// Whether the plugin is not running: there is no socket, or no process listens. Nothing has been sent then, and a plugin that is being
    /// restarted will be back soon.
    public var isAbsence = false
    /// The error below it, if there is one.
    public var cause: (any Error)?

    public init(_ kind: Kind, plugin: String, _ message: String, cause: (any Error)? = nil) {
        self.kind = kind
        self.plugin = plugin
        self.message = message
        self.cause = cause
    }

    init(_ kind: Kind, _ endpoint: PluginEndpoint, _ message: String, cause: (any Error)? = nil) {
        self.init(kind, plugin: endpoint.name.text, "plugin \(endpoint.name) at \(endpoint.address): \(message)", cause: cause)
    }

    public var description: String { message }
}

extension PluginClientError: Equatable {
    /// Without the causes, which cannot be compared.
    public static func == (one: PluginClientError, other: PluginClientError) -> Bool {
        one.kind == other.kind && one.plugin == other.plugin && one.message == other.message && one.isAbsence == other.isAbsence
    }
}
