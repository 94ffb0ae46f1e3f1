// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
public import Logging

/// Writes each event as one line to standard error, with the priority in front that journald understands. sd-daemon(3).
///
/// On a terminal it is the level's name instead.
public struct JournalLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    private let isTerminal: Bool

    public init(level: Logger.Level) {
        logLevel = level
        isTerminal = isatty(STDERR_FILENO) == 1
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let line = Self.line(event.level, "\(event.message)", all, isTerminal: isTerminal)
        // One write, so that lines of several threads do not mix.
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    static func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata, isTerminal: Bool) -> [UInt8] {
        let prefix = isTerminal ? "\(level): " : "<\(priority(of: level))>"
        let rest = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        // What a name or a server put into a message must not begin a line of its own, nor do anything to a terminal.
        var line = (prefix + message + rest).unicodeScalars
        if SanitizedText.hasControl(String(line)) { line = .init(line.map { SanitizedText.isControl($0) ? " " : $0 }) }
        return Array(String(line).utf8) + [UInt8(ascii: "\n")]
    }

    /// The priorities of syslog(3).
    private static func priority(of level: Logger.Level) -> Int {
        switch level {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }
}
