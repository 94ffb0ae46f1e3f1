// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Testing

@testable import LinuxSystem

/// A screen that is drawn again and again.
struct TerminalScreenTests {
    @Test func linesWhereNothingIsATerminal() throws {
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        let screen = TerminalScreen(output: ends[1])
        #expect(!screen.isTerminal && screen.open() && screen.show(["a", "b"]) && screen.show(["c"]))
        screen.close()
        close(ends[1])
        #expect(read(ends[0]) == "a\nb\n\nc\n\n")
        close(ends[0])
    }

    @Test func aTerminalIsGivenBackAsItWas() throws {
        let master = posix_openpt(O_RDWR | O_NOCTTY)
        try #require(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
        defer { close(master) }
        let terminal = open(String(cString: ptsname(master)), O_RDWR | O_NOCTTY)
        try #require(terminal >= 0)
        let screen = TerminalScreen(output: terminal)
        #expect(screen.isTerminal && screen.size == (24, 80))
        #expect(screen.open() && screen.show([String(repeating: "x", count: 100), "y"]))
        screen.close()
        close(terminal)
        let x = String(repeating: "x", count: 80)
        #expect(read(master) == "\u{1b}[?1049h\u{1b}[?25l\u{1b}[H\(x)\u{1b}[K\r\ny\u{1b}[K\r\n\u{1b}[J\u{1b}[?25h\u{1b}[?1049l")
    }

    /// All that is there; a terminal whose other side is closed reads as an error.
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
