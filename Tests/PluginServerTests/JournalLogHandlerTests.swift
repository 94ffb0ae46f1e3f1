// SPDX-License-Identifier: AGPL-3.0-or-later

import Logging
import Testing

@testable import PluginServer

@Suite struct JournalLogHandlerTests {
    @Test(arguments: [false, true]) func aNameCannotBeginALine(isTerminal: Bool) {
        let bytes = JournalLogHandler.line(
            .error, "volume a\n<3>b\r\u{1b}[2J\0", ["path": "/x\n<0>y\u{7f}", "a": "1"], isTerminal: isTerminal)
        #expect(String(decoding: bytes, as: UTF8.self) == (isTerminal ? "error: " : "<3>") + "volume a <3>b  [2J  a=1 path=/x <0>y \n")
    }

    /// Of Unicode beyond ASCII too: C1, line separators, and what changes the direction of writing.
    @Test(arguments: [("c1 \u{9b}31m", "c1  31m"), ("\u{202e}back\u{2028}x", " back x"), ("café", "café")])
    func nothingForeignActsOnATerminal(message: String, line: String) {
        #expect(String(decoding: JournalLogHandler.line(.info, message, [:], isTerminal: false), as: UTF8.self) == "<6>\(line)\n")
    }
}
