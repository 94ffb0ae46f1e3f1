// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc

/// Standard output as a screen that is drawn again and again; plain text where it is not a terminal.
///
/// A terminal gets its other screen (xterm's 1049), and gives the first one back at ``close()``.
public struct TerminalScreen: Sendable {
    /// Whether standard output is a terminal.
    public let isTerminal: Bool
    private let output: CInt

    public init() { self.init(output: STDOUT_FILENO, isTerminal: isatty(STDOUT_FILENO) == 1) }

    init(output: CInt, isTerminal: Bool) { (self.output, self.isTerminal) = (output, isTerminal) }

    /// Lines and columns; what a terminal that does not say has.
    public var size: (rows: Int, columns: Int) {
        var (rows, columns): (CInt, CInt) = (0, 0)
        guard CLinux_window_size(output, &rows, &columns) == 0, rows > 0, columns > 0 else { return (24, 80) }
        return (Int(rows), Int(columns))
    }

    /// - Returns: false if nobody reads any more, as everywhere here.
    public func open() -> Bool { !isTerminal || write("\u{1b}[?1049h\u{1b}[?25l") }

    /// Gives a terminal back as it was. Does nothing elsewhere.
    public func close() { if isTerminal { _ = write("\u{1b}[?25h\u{1b}[?1049l") } }

    /// Shows lines: in the place of the last ones on a terminal, as far as they fit; below them elsewhere. Lines are ASCII or shown at a
    /// column a scalar.
    public func show(_ lines: [String]) -> Bool {
        guard isTerminal else { return write(lines.map { $0 + "\n" }.joined() + "\n") }
        let (rows, columns) = size
        let fitting = lines.prefix(rows - 1).map { String($0.unicodeScalars.prefix(columns)) + "\u{1b}[K\r\n" }
        return write("\u{1b}[H" + fitting.joined() + "\u{1b}[J")
    }

    private func write(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(output, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) }
            if count < 0, errno != EINTR { return false }
        }
        return true
    }
}
