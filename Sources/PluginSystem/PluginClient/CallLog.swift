// SPDX-License-Identifier: AGPL-3.0-or-later

/// Receives a line about each finished call of a plugin, to find slow plugins and plugins that were not asked.
public struct CallLog: Sendable {
    private let write: @Sendable (String) -> Void

    /// - Parameter write: takes a line.
    public init(_ write: @escaping @Sendable (String) -> Void) { self.write = write }

    /// The line has nothing of request and answer, since labels and options may contain secrets.
    ///
    /// - Parameters:
    ///   - method: with or without the slash that it has as a path.
    ///   - container: nil for a call that is about none.
    ///   - outcome: a few words of ours.
    public func note(
        _ method: String, of plugin: String, for container: String?, since start: ContinuousClock.Instant, outcome: String
    ) {
        let name = method.utf8.first == UInt8(ascii: "/") ? String(method.dropFirst()) : method
        let about = container.map { " for container \($0)" } ?? ""
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        let fraction = String(microseconds % 1000)
        let milliseconds = "\(microseconds / 1000).\(String(repeating: "0", count: 3 - fraction.utf8.count))\(fraction)"
        write("plugin \(plugin): \(name)\(about): \(outcome) after \(milliseconds) ms")
    }
}

extension PluginClientError {
    /// The outcome of the call, without the plugin's words.
    public var outcome: String {
        switch kind {
        case .notSent: "not sent"
        case .notRecorded: "not sent, since it could not be recorded"
        case .refused(let status, _): "refused with HTTP status \(status)"
        case .unclear: "no answer that can be used"
        }
    }
}
