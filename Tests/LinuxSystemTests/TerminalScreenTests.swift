// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Testing

@testable import LinuxSystem

/// A screen that is drawn again and again.
struct TerminalScreenTests {
    /// What a reader gets.
    private func output(isTerminal: Bool, _ body: (TerminalScreen) -> Void) throws -> String {
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        body(TerminalScreen(output: ends[1], isTerminal: isTerminal))
        close(ends[1])
        return read(ends[0])
    }

    @Test func linesWhereNothingIsATerminal() throws {
        let text = try output(isTerminal: false) { screen in
            #expect(screen.open() && screen.show(["a", "b"]) && screen.show(["c"]))
            screen.close()
        }
        #expect(text == "a\nb\n\nc\n\n")
    }

    /// With the size of a terminal that does not tell its own.
    @Test func aTerminalIsGivenBackAsItWas() throws {
        let text = try output(isTerminal: true) { screen in
            #expect(screen.size == (24, 80))
            #expect(screen.open() && screen.show([String(repeating: "x", count: 100), "y"]))
            #expect(screen.show((0..<30).map(String.init)))
            screen.close()
        }
        let (x, end) = (String(repeating: "x", count: 80), "\u{1b}[K\r\n")
        let many = (0..<23).map { "\($0)\(end)" }.joined()
        #expect(
            text == "\u{1b}[?1049h\u{1b}[?25l\u{1b}[H\(x)\(end)y\(end)\u{1b}[J\u{1b}[H\(many)\u{1b}[J\u{1b}[?25h\u{1b}[?1049l")
    }

    /// All that is there.
    private func read(_ descriptor: CInt) -> String {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count <= 0 { return String(decoding: all, as: UTF8.self) }
            all += buffer[..<count]
        }
    }
}
