// SPDX-License-Identifier: AGPL-3.0-or-later

import Logging
import Testing

@testable import PluginServer

struct JournalLogHandlerTests {
    @Test(arguments: [
        ("volume a\nb", "<6>volume a b\n"), ("\u{1b}[31m", "<6> [31m\n"), ("c1 \u{9b}31m", "<6>c1  31m\n"),
        ("\u{202e}back\u{2028}x", "<6> back x\n"), ("café", "<6>café\n"),
    ])
    func whatIsForeignStaysInItsLine(message: String, line: String) {
        #expect(String(decoding: JournalLogHandler.line(.info, message, [:], isTerminal: false), as: UTF8.self) == line)
    }

    @Test func metadataStandBehindTheMessage() {
        let line = JournalLogHandler.line(.error, "why", ["b": "2", "a": "1\r"], isTerminal: true)
        #expect(String(decoding: line, as: UTF8.self) == "error: why a=1  b=2\n")
    }
}
