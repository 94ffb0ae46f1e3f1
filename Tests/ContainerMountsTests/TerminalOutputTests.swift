// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import Testing

@testable import ContainerMounts

struct TerminalOutputTests {
    @Test(arguments: [("a\u{1b}[31mb", "a?[31mb"), ("a\nb", "a?b"), ("\u{9b}x\u{202e}", "?x?"), ("é/ü", "é/ü")])
    func textCannotMoveACursor(foreign: String, shown: String) {
        #expect(TerminalOutput.printable(foreign) == shown)
    }

    @Test func aDocumentCannotEitherAndSaysTheSame() throws {
        let document: JSONValue = ["path": "/a\u{1b}\u{9b}\u{202e}é"]
        let text = TerminalOutput.text(of: document)
        #expect(text.contains(#"/a\u001b\u009b\u202eé"#) && text.hasSuffix("}\n"))
        #expect(try JSONValue(parsing: text) == document)
    }
}
