// SPDX-License-Identifier: AGPL-3.0-or-later

import OCIRuntime
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

    @Test func tellsPathsApartByTheirBytes() {
        #expect(LexicalPath.areSame("/a", "/a"))
        #expect(!LexicalPath.areSame("/\u{E9}", "/e\u{301}"))
    }
}
