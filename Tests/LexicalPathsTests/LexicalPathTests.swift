// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths
import Testing

@Suite struct LexicalPathTests {
    @Test(arguments: [
        ("/data", "/data"), ("data", "/data"), ("/a//b/./c/", "/a/b/c"), ("/a/../b", "/b"), ("../../x", "/x"), ("", "/"), ("/", "/"),
        ("/..", "/"), ("/a/..", "/"), ("./", "/"), ("/...", "/..."), ("/ä b/", "/ä b"),
    ])
    func cleansAsGoDoes(path: String, cleaned: String) {
        #expect(LexicalPath.absolute(path) == cleaned)
    }

    @Test func givesTheNames() {
        #expect(LexicalPath.components(of: "/a/./b//c/../d/") == ["a", "b", "d"])
        #expect(LexicalPath.components(of: "/..").isEmpty)
    }

    @Test(arguments: [
        ("/", "/a", true), ("/a", "/a", true), ("/a", "/a/b", true), ("/a", "/ab", false), ("/a/b", "/a", false), ("/a", "/", false),
        ("/", "/", true), ("/a/", "/a", true), ("/a/../b", "/b/c", true), ("/a//b", "/a/b/../c", false), (".", "a", true),
        ("..", "a", true), ("..", "../../a", false), ("a", "/a", false), ("/", "a", false),
    ])
    func comparesWholeComponents(path: String, other: String, isAbove: Bool) {
        #expect(LexicalPath.isSame(path, orAbove: other) == isAbove)
    }

    @Test(arguments: [
        ("a", true), ("..a", true), ("a b", true), ("", false), (".", false), ("..", false), ("a/b", false), ("a\0", false),
    ])
    func knowsWhatCanBeAName(text: String, isComponent: Bool) {
        #expect(LexicalPath.isComponent(text) == isComponent)
    }

    @Test func tellsPathsApartByTheirBytes() {
        #expect(LexicalPath.areSame("/a", "/a"))
        #expect(!LexicalPath.areSame("/\u{E9}", "/e\u{301}"))
    }
}
