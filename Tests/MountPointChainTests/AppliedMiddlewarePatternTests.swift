// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

/// Lists of plugins are written as letters: `abc` is a applied first and c last; in a sequence, `.` matches any plugin.
@Suite struct AppliedMiddlewarePatternTests {
    typealias Pattern = AppliedMiddlewarePattern

    static func elements(_ letters: String) -> [Pattern.Element] {
        letters.map { $0 == "." ? Pattern.Element() : Pattern.Element(name: [StringPattern(exactly: "plugin:\($0)")]) }
    }

    static func applied(_ letters: String) -> [AppliedMiddleware] { letters.map { AppliedMiddleware(name: "plugin:\($0)") } }

    static func make(_ change: (inout Pattern) -> Void) -> Pattern {
        var pattern = Pattern()
        change(&pattern)
        return pattern
    }

    enum Sequence: String, CaseIterable {
        case any, top, bottom, order

        func pattern(_ letters: String, not: Bool) -> Pattern {
            make {
                switch (self, not) {
                case (.any, false): $0.anySequence = elements(letters)
                case (.any, true): $0.notAnySequence = elements(letters)
                case (.top, false): $0.topSequence = elements(letters)
                case (.top, true): $0.notTopSequence = elements(letters)
                case (.bottom, false): $0.bottomSequence = elements(letters)
                case (.bottom, true): $0.notBottomSequence = elements(letters)
                case (.order, false): $0.relativeOrder = elements(letters)
                case (.order, true): $0.notRelativeOrder = elements(letters)
                }
            }
        }
    }

    @Test(
        arguments: [
            (.any, "a", ["a", "ba", "ab", "bab"], ["", "b"]),
            (.any, "ab", ["ab", "cab", "abc", "cabc", "aab", "abab"], ["", "a", "b", "ba", "acb"]),
            (.any, ".b", ["ab", "bb", "cab"], ["", "b", "ba"]),
            (.any, "..", ["ab", "abc"], ["", "a"]),
            (.top, "a", ["a", "ab"], ["", "b", "ba"]),
            (.top, "ab", ["ab", "abc"], ["", "a", "ba", "cab", "acb"]),
            (.top, ".b", ["ab", "bbc"], ["", "b", "ba", "cab"]),
            (.bottom, "a", ["a", "ba"], ["", "b", "ab"]),
            (.bottom, "ab", ["ab", "cab"], ["", "b", "ba", "abc", "acb"]),
            (.bottom, "a.", ["ab", "caa"], ["", "a", "ba"]),
            (.order, "a", ["a", "ba", "ab"], ["", "b"]),
            (.order, "ab", ["ab", "acb", "cacbc", "bab"], ["", "a", "b", "ba", "bca"]),
            (.order, "aa", ["aa", "aba"], ["", "a", "ab"]),
            (.order, "a.b", ["acb", "aab", "abb"], ["ab", "cab"]),
        ] as [(Sequence, String, [String], [String])])
    func sequencesAndTheirNegations(sequence: Sequence, letters: String, holds: [String], fails: [String]) {
        for list in holds {
            #expect(sequence.pattern(letters, not: false).matches(Self.applied(list)), "\(sequence) \(letters) in \(list)")
            #expect(!sequence.pattern(letters, not: true).matches(Self.applied(list)), "not \(sequence) \(letters) in \(list)")
        }
        for list in fails {
            #expect(!sequence.pattern(letters, not: false).matches(Self.applied(list)), "\(sequence) \(letters) in \(list)")
            #expect(sequence.pattern(letters, not: true).matches(Self.applied(list)), "not \(sequence) \(letters) in \(list)")
        }
    }

    @Test(arguments: ["", "a", "ab"])
    func emptyListsAskNothing(list: String) {
        #expect(Pattern().matches(Self.applied(list)))
    }

    /// Columns: the lists "", "a", "b", "ab", "c".
    @Test(
        arguments: [
            (make { $0.exists = elements("a") }, [false, true, false, true, false]),
            (make { $0.exists = elements("ab") }, [false, false, false, true, false]),
            (make { $0.notExists = elements("a") }, [true, false, true, false, true]),
            (make { $0.notExists = elements("ab") }, [true, false, false, false, true]),
            (make { $0.all = elements("a") }, [true, true, false, false, false]),
            (make { $0.all = elements("ab") }, [true, false, false, false, false]),
            (make { $0.notAll = elements("a") }, [false, false, true, true, true]),
            (make { $0.notAll = elements("ab") }, [false, false, false, true, true]),
            (make { $0.exists = elements(".") }, [false, true, true, true, true]),
            (make { $0.notExists = elements(".") }, [true, false, false, false, false]),
            (make { $0.all = elements(".") }, [true, true, true, true, true]),
            (make { $0.notAll = elements(".") }, [false, false, false, false, false]),
        ] as [(Pattern, [Bool])])
    func elementsAreJudgedOneByOne(pattern: Pattern, expected: [Bool]) {
        #expect(["", "a", "b", "ab", "c"].map { pattern.matches(Self.applied($0)) } == expected)
    }

    @Test func allTwelveMustHold() {
        let lists: [WritableKeyPath<Pattern, [Pattern.Element]>] = [
            \.exists, \.all, \.anySequence, \.topSequence, \.bottomSequence, \.relativeOrder, \.notExists, \.notAll, \.notAnySequence,
            \.notTopSequence, \.notBottomSequence, \.notRelativeOrder,
        ]
        var pattern = Pattern()
        for list in lists.prefix(6) { pattern[keyPath: list] = Self.elements("a") }
        for list in lists.suffix(6) { pattern[keyPath: list] = Self.elements("b") }
        #expect(pattern.matches(Self.applied("a")))
        for list in lists.prefix(6) {
            var broken = pattern
            broken[keyPath: list] = Self.elements("b")
            #expect(!broken.matches(Self.applied("a")))
        }
        for list in lists.suffix(6) {
            var broken = pattern
            broken[keyPath: list] = Self.elements("a")
            #expect(!broken.matches(Self.applied("a")))
        }
    }

    @Test(
        arguments: [
            (Pattern.Element(), true),
            (Pattern.Element(name: [StringPattern(prefix: "plugin:"), StringPattern(suffix: "a")]), true),
            (Pattern.Element(name: [StringPattern(prefix: "plugin:"), StringPattern(suffix: "b")]), false),
            (Pattern.Element(name: [StringPattern(not: true, exactly: "plugin:a")]), false),
            (Pattern.Element(changes: .init(effectiveSource: [StringPattern(pathPrefix: "/new")])), true),
            (Pattern.Element(changes: .init(effectiveSource: [StringPattern(pathPrefix: "/new"), StringPattern(empty: true)])), false),
            (Pattern.Element(changes: .init(effectiveConsistency: .cached)), true),
            (Pattern.Element(changes: .init(effectiveConsistency: .default)), false),
            (Pattern.Element(changes: .init(effectiveConsistency: .unspecified)), false),
            (Pattern.Element(name: [StringPattern(exactly: "plugin:b")], changes: .init(effectiveConsistency: .cached)), false),
        ])
    func anElementLooksAtNameAndChanges(element: Pattern.Element, expected: Bool) {
        let changes = MountPointChanges(effectiveSource: "/new/dir", effectiveConsistency: .cached)
        #expect(Self.make { $0.exists = [element] }.matches([AppliedMiddleware(name: "plugin:a", changes: changes)]) == expected)
    }

    @Test func noChangeIsAnEmptySource() {
        let pattern = Self.make { $0.exists = [.init(changes: .init(effectiveSource: [StringPattern(empty: true)]))] }
        #expect(pattern.matches([AppliedMiddleware(name: "plugin:a")]))
        #expect(!pattern.matches([AppliedMiddleware(name: "plugin:a", changes: MountPointChanges(effectiveSource: "/s"))]))
    }
}
