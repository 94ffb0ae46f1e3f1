// SPDX-License-Identifier: AGPL-3.0-or-later

public import Logging
import Synchronization

/// What was logged, as `level message`.
public final class LogBook: Sendable {
    private let lines = Mutex<[String]>([])

    public init() {}

    public var all: [String] { lines.withLock { $0 } }
    public func contains(_ words: String...) -> Bool { all.contains { line in words.allSatisfy(line.contains) } }
    public var logger: Logger { Logger(label: "test") { _ in Handler(book: self) } }

    private struct Handler: LogHandler {
        let book: LogBook
        var logLevel = Logger.Level.debug
        var metadata = Logger.Metadata()

        init(book: LogBook) { self.book = book }

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { book.lines.withLock { $0.append("\(event.level) \(event.message)") } }
    }
}
