// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Testing

@Suite struct SanitizedTextTests {
    @Test(
        arguments: [
            ("plain text", "plain text"), ("", ""), ("two  spaces", "two  spaces"), (" at the ends\n\n", "at the ends"),
            ("one\ntwo\r\n  three", "one; two; three"), ("one;\ntwo", "one; two"), ("a\u{2028}b\u{85}c\u{b}d", "a; b; c; d"),
            ("tab\there", "tab here"), ("\u{1b}[31mred\u{7}", "?[31mred?"), ("c1 \u{9b}31m", "c1 ?31m"), ("\u{202e}back", "?back"),
            ("café ☃", "café ☃"), ("\0", "?"),
        ])
    func isOneLineWithoutControls(foreign: String, text: String) {
        #expect(SanitizedText(foreign).text == text)
    }

    @Test(arguments: [("a\nb", "a?b"), ("\u{9b}31m", "?31m"), ("\u{202e}x\u{2028}", "?x?"), ("  café  ", "  café  ")])
    func onlyItsControlsAreReplaced(foreign: String, text: String) {
        #expect(SanitizedText.withoutControls(foreign) == text)
        #expect(SanitizedText.hasControl(foreign) == (foreign != text))
        #expect(PluginError(foreign).message == text)
    }

    @Test func isNotEndless() {
        #expect(SanitizedText("abcdef", limit: 3).text == "abc…")
        #expect(SanitizedText("ab\ncd", limit: 3).text == "ab…")
        #expect(SanitizedText("ééé", limit: 4).text == "éé…")
        #expect(SanitizedText(Array("a\nb".utf8), limit: 10).text == "a; b")
    }
}
