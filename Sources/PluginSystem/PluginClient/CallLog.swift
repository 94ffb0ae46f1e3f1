// SPDX-License-Identifier: AGPL-3.0-or-later

/// Told of each call of a plugin when it is over, for who looks for what takes so long or why nobody was asked.
public struct CallLog: Sendable {
    private let write: @Sendable (String) -> Void

    /// - Parameter write: takes a line.
    public init(_ write: @escaping @Sendable (String) -> Void) { self.write = write }

    /// Nothing of what was said goes into the line: labels and options may hold what is not for a log.
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
    /// What became of the call, without the plugin's words.
    public var outcome: String {
        switch kind {
        case .notSent: "not sent"
        case .notRecorded: "not sent, since it could not be recorded"
        case .refused(let status, _): "refused with HTTP status \(status)"
        case .unclear: "no answer that can be used"
        }
    }
}
