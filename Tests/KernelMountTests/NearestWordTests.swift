// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import Testing

struct NearestWordTests {
    @Test(
        arguments: [
            ("hrad", ["hard", "soft"], 2, "hard"), ("HARD", ["hard"], 2, "hard"), ("hardd", ["hard"], 1, "hard"),
            ("har", ["hard"], 1, "hard"),
            // A swap of neighbours is one slip.
            ("sevrer", ["server", "sever"], 2, "server"), ("soft", ["soft"], 0, "soft"),
            ("xyz", ["hard"], 2, nil), ("hxrx", ["hard"], 1, nil), ("", ["hard"], 9, nil),
            // Nothing is near to a word of two letters but itself.
            ("xo", ["ro", "rw"], 2, nil), ("ab", [], 2, nil),
        ] as [(String, [String], Int, String?)])
    func theNearestWord(word: String, candidates: [String], limit: Int, expected: String?) {
        #expect(nearestWord(to: word, among: candidates, within: limit) == expected)
    }

    @Test func doesNotDependOnTheOrderOfCandidates() {
        let candidates = ["timea", "timeb", "timec"]
        #expect(nearestWord(to: "timex", among: candidates, within: 2) == nearestWord(to: "timex", among: candidates.reversed(), within: 2))
    }

    /// The distance takes time by the square of the length, and the word can come from another host.
    @Test func aLongWordHasNone() {
        let word = String(repeating: "h", count: 64)
        #expect(nearestWord(to: word, among: [word], within: 2) == word)
        #expect(nearestWord(to: word + "h", among: [word], within: 2) == nil)
    }
}
