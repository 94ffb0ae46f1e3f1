// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

@Suite struct StringMapPatternTests {
    typealias Element = StringMapPattern.Element

    static func key(_ text: String) -> Element { Element(key: StringPattern(exactly: text)) }
    static func pair(_ key: String, _ value: String) -> Element {
        Element(key: StringPattern(exactly: key), value: StringPattern(exactly: value))
    }

    /// For one element, negation is the exact opposite.
    @Test(
        arguments: [
            (StringMapPattern(exists: [key("k")]), [["k": ""], ["f": "", "k": "v"]], [[:], ["f": "k"], ["K": ""]]),
            (StringMapPattern(exists: [pair("k", "v")]), [["k": "v"], ["f": "w", "k": "v"]], [[:], ["k": ""], ["k": "w", "f": "v"]]),
            (
                StringMapPattern(exists: [Element(value: StringPattern(prefix: "v"))]), [["a": "v"], ["a": "w", "b": "vw"]],
                [[:], ["v": ""]]
            ),
            (StringMapPattern(exists: [Element()]), [["a": ""]], [[:]]),
            // The pair that has the key must be the one that has the value, and which comes first must not matter.
            (
                StringMapPattern(exists: [Element(key: StringPattern(prefix: "k"), value: StringPattern(exactly: "v"))]),
                [["k1": "w", "k2": "v"], ["k1": "v", "k2": "w"]], [["k1": "w", "f": "v"]]
            ),
            // Without a value to match, every key must match.
            (
                StringMapPattern(all: [Element(key: StringPattern(prefix: "pre"))]), [[:], ["pre": ""], ["pre1": "", "pre2": "x"]],
                [["f": ""], ["f": "", "pre": ""], ["pre": "", "f": ""]]
            ),
            (
                StringMapPattern(all: [Element(key: StringPattern(prefix: "pre"), value: StringPattern(not: true))]), [[:], ["pre": "x"]],
                [["f": ""]]
            ),
            // With one, only pairs whose key matches are looked at.
            (
                StringMapPattern(all: [Element(key: StringPattern(prefix: "k"), value: StringPattern(exactly: "v"))]),
                [[:], ["k": "v"], ["k1": "v", "k2": "v", "f": "w"], ["f": "w"]], [["k": ""], ["k1": "v", "k2": "w"]]
            ),
            (
                StringMapPattern(all: [Element(key: StringPattern(exactly: "k"), value: StringPattern(empty: true))]),
                [["k": ""], ["f": "w"]], [["k": "v"]]
            ),
            (
                StringMapPattern(all: [Element(key: StringPattern(exactly: "k"), value: StringPattern(pathContains: "/a"))]),
                [["k": "/"], ["f": ""]], [["k": "/b"]]
            ),
            (StringMapPattern(all: [Element()]), [[:], ["a": "b"]], []),
            (
                StringMapPattern(all: [Element(value: StringPattern(not: true, contains: "x"))]), [[:], ["x": "y"]],
                [["y": "x"], ["a": "y", "b": "x"]]
            ),
        ] as [(StringMapPattern, [StringMap], [StringMap])])
    func eachPredicateAndItsNegation(pattern: StringMapPattern, holds: [StringMap], fails: [StringMap]) {
        var negated = pattern
        negated.not = true
        for map in holds {
            #expect(pattern.matches(map), "\(pattern) for \(map)")
            #expect(!negated.matches(map), "\(negated) for \(map)")
        }
        for map in fails {
            #expect(!pattern.matches(map), "\(pattern) for \(map)")
            #expect(negated.matches(map), "\(negated) for \(map)")
        }
    }

    @Test(arguments: [[:], ["a": "b"]] as [StringMap])
    func withNothingSetItMatchesAnything(map: StringMap) {
        #expect(StringMapPattern().matches(map))
        #expect(StringMapPattern(not: true).matches(map))
    }

    /// Columns: only a, only b, both, none.
    @Test(
        arguments: [
            (StringMapPattern(exists: [key("a"), key("b")]), [false, false, true, false]),
            (StringMapPattern(not: true, exists: [key("a"), key("b")]), [false, false, false, true]),
            (StringMapPattern(all: [pair("a", "1"), pair("b", "1")]), [true, true, true, true]),
            (StringMapPattern(all: [pair("a", "2"), pair("b", "2")]), [false, false, false, true]),
            (StringMapPattern(not: true, all: [pair("a", "2"), pair("b", "2")]), [false, false, true, false]),
            (StringMapPattern(exists: [key("a")], all: [pair("b", "2")]), [true, false, false, false]),
            (StringMapPattern(not: true, exists: [key("a")], all: [pair("b", "2")]), [false, true, false, false]),
        ] as [(StringMapPattern, [Bool])])
    func everyElementIsJudgedByItself(pattern: StringMapPattern, expected: [Bool]) {
        let maps: [StringMap] = [["a": "1"], ["b": "1"], ["a": "1", "b": "1"], ["f": "1"]]
        #expect(maps.map(pattern.matches) == expected)
    }
}
