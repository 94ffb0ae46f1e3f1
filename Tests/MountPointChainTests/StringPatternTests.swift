// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

@Suite struct StringPatternTests {
    /// A pattern with one field set, what it holds for and what not; with `not` it is the other way round.
    @Test(
        arguments: [
            (StringPattern(empty: true), [""], ["a", " "]),
            (StringPattern(prefix: "as"), ["as", "asdf"], ["", "a", "adsf", "bas", "AS"]),
            (StringPattern(suffix: ".dat"), [".dat", "/x/y.dat"], ["", "dat", "x.dat2", "x.DAT"]),
            (StringPattern(exactly: "xyz"), ["xyz"], ["", "xy", "xyzz", "wxyz", "Xyz"]),
            (StringPattern(contains: "xyz"), ["xyz", "wxyz", "xyz0", "xyxyz", "xxyzz"], ["", "xy", "xyyz", "xzy"]),
            (StringPattern(contains: "aab"), ["aaab", "caaabd"], ["aac", "aaa", "ab"]),
            (
                StringPattern(pathPrefix: "/a/b"),
                ["/a/b", "/a/b/", "/a/b/c", "//a//b//c", "/a/./b", "/a/x/../b/c", "/../a/b", "/a/b/c/.."],
                ["", "/", "/a", "/a/bc", "/a/b/..", "/x/a/b", "a/b", "/a/b/../bc"]
            ),
            (
                StringPattern(pathPrefix: "///a/./b/c/../foo/"), ["/a/b/foo", "/a/b/foo/bar", "/a//b/c/d/../../foo/./bar"],
                ["/a/b/foobar", "/a/b/fo"]
            ),
            // Names that begin with a dot, and that have dots in them.
            (
                StringPattern(pathPrefix: "/a/.b"), ["/a/.b", "/a/.b/c", "/a/.b/..c/.."], ["/a/b", "/a/.bc", "/a/..b", "/a/.", "/a/.b/.."]
            ),
            (StringPattern(pathPrefix: "/a/b.c/..."), ["/a/b.c/...", "/a/b.c/.../d"], ["/a/b.c", "/a/b.c/....", "/a/b.c/../..."]),
            (StringPattern(pathPrefix: "/"), ["/", "/a", "/..", "//"], ["", "a", "."]),
            (StringPattern(pathPrefix: "/.."), ["/", "/a"], ["a", "../a"]),
            (StringPattern(pathPrefix: "a/b"), ["a/b", "./a/b/c", "a/b/."], ["/a/b", "a", "a/bc", "../a/b"]),
            (StringPattern(pathPrefix: "."), [".", "", "a", "a/b", ".hidden"], ["/", "/a", "..", "../a", "a/../.."]),
            (StringPattern(pathPrefix: ".."), ["..", ".", "a", "../a", "a/../../b"], ["/", "../..", "../../a"]),
            (StringPattern(pathPrefix: "../a"), ["../a", "../a/b", "x/../../a"], ["..", "a", "../ab", "../../a"]),
            (
                StringPattern(pathContains: "/a/b"), ["/", "/a", "/a/", "/a/b", "/a/b/", "/x/..", "//a/./b"],
                ["", "/a/b/c", "/a/bc", "/b", "a", "a/b", "."]
            ),
            (StringPattern(pathContains: "/"), ["/", "/a/.."], ["/a", ""]),
        ] as [(StringPattern, [String], [String])])
    func eachFieldAndItsNegation(pattern: StringPattern, holds: [String], fails: [String]) {
        var negated = pattern
        negated.not = true
        for text in holds {
            #expect(pattern.matches(text), "\(pattern) for \(text)")
            #expect(!negated.matches(text), "\(negated) for \(text)")
        }
        for text in fails {
            #expect(!pattern.matches(text), "\(pattern) for \(text)")
            #expect(negated.matches(text), "\(negated) for \(text)")
        }
    }

    @Test(arguments: ["", "a", "/a/b"])
    func withNothingSetItMatchesAnything(text: String) {
        #expect(StringPattern().matches(text))
        #expect(StringPattern(not: true).matches(text))
        #expect(StringPattern(not: true).isEmpty)
    }

    @Test func allFieldsMustHold() {
        let pattern = StringPattern(prefix: "/a", suffix: "z", contains: "m")
        #expect(pattern.matches("/amz"))
        for text in ["/az", "/am", "mz", "/a"] { #expect(!pattern.matches(text)) }
        #expect(!StringPattern(empty: true, prefix: "a").matches(""))
        #expect(!StringPattern(empty: true, prefix: "a").matches("a"))
    }

    @Test func withNotEachFieldMustFail() {
        let pattern = StringPattern(not: true, prefix: "/a", suffix: "z", contains: "m")
        #expect(pattern.matches("/bcd"))
        for text in ["/amz", "/a", "z", "m", "/az"] { #expect(!pattern.matches(text), "one field holds for \(text)") }
    }

    @Test(
        arguments: [
            (StringPattern(empty: true, prefix: "a"), "b"), (StringPattern(prefix: "a", pathPrefix: "/b"), "/c"),
            (StringPattern(pathPrefix: "/a", suffix: "b"), "/c"), (StringPattern(pathContains: "/a", exactly: "/c"), "/b"),
            (StringPattern(exactly: "a", contains: "b"), "c"),
        ])
    func withNotEachFieldIsAskedByItself(pattern: StringPattern, text: String) {
        var pattern = pattern
        pattern.not = true
        #expect(pattern.matches(text))
    }

    /// To the kernel and to Docker, `é` in one code point and in two are different names.
    @Test func comparesBytes() {
        for pattern in [
            StringPattern(prefix: "/e\u{301}"), StringPattern(suffix: "e\u{301}"), StringPattern(exactly: "/e\u{301}"),
            StringPattern(contains: "e\u{301}"), StringPattern(pathPrefix: "/e\u{301}"), StringPattern(pathContains: "/e\u{301}"),
        ] {
            #expect(pattern.matches("/e\u{301}"))
            #expect(!pattern.matches("/\u{e9}"))
        }
        #expect(StringPattern(prefix: "/e").matches("/e\u{301}"))
    }
}
