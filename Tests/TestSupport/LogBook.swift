// SPDX-License-Identifier: AGPL-3.0-or-later

public import Logging
import Synchronization

/// What was logged, as `level message`.
public final class LogBook: Sendable {
    private let lines = Mutex<[String]>([])

    public init() {}

    public var all: [String] { lines.withLock { $0 } }
    public func contains(_ words: String...) -> Bool { all.contains { line in words.allSatisfy(line.contains) } }
    public var logger: Logger { capturingLogger { line in self.lines.withLock { $0.append(line) } } }
}

/// A logger that hands each `level message` on.
public func capturingLogger(_ take: @escaping @Sendable (String) -> Void) -> Logger {
    Logger(label: "test") { _ in CapturingLogHandler(take: take) }
}

private struct CapturingLogHandler: LogHandler {
    let take: @Sendable (String) -> Void
    var logLevel = Logger.Level.debug
    var metadata = Logger.Metadata()

    init(take: @escaping @Sendable (String) -> Void) { self.take = take }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { take("\(event.level) \(event.message)") }
}
