// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Testing

/// `é` in one code point and in two looks the same, and is two names.
struct TextAsBytesTests {
    private static let (composed, decomposed) = ("\u{e9}", "e\u{301}")

    @Test func whatLooksTheSameIsNot() {
        #expect(Self.composed == Self.decomposed, "or this test tests nothing")
        #expect(!Self.composed.hasSameBytes(as: Self.decomposed))
        #expect(Self.composed.hasSameBytes(as: Self.composed))
        #expect(!["a", Self.composed].hasSameBytes(as: ["a", Self.decomposed]))
        #expect(["a", "b"].hasBytePrefix(["a"]) && !["a"].hasBytePrefix(["a", "b"]))
        #expect(![Self.composed, "b"].hasBytePrefix([Self.decomposed]))
    }

    /// To Swift, an accent belongs to the slash before it.
    @Test func aSlashIsASlashWhateverComesBehindIt() {
        let path = "/a/\u{301}b"
        #expect(!path.hasPrefix("/a/"), "or this test tests nothing")
        #expect(path.hasBytePrefix("/a/"))
        #expect("x\u{301}/a".hasByteSuffix("\u{301}/a") && !"a".hasByteSuffix("ba"))
        #expect(path.split(atByte: "/") == ["a", "\u{301}b"])
        #expect("/a//b".split(atByte: "/", omittingEmpty: false) == ["", "a", "", "b"])
        #expect("a=b=c".split(atByte: "=", maxSplits: 1) == ["a", "b=c"])
    }
}
