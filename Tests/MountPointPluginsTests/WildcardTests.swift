// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing

@testable import MountPointPlugins

@Suite("Wildcards")
struct WildcardTests {
    @Test(
        "A star stands for any bytes, and everything else for itself",
        arguments: [
            ("a", "a", true), ("a", "b", false), ("*", "", true), ("", "", true), ("", "a", false), ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c*e", "abcde", true), ("a*c*e", "abcd", false), ("*ab", "aab", true), ("a**b", "ab", true), ("a?", "ab", false),
            ("é", "e\u{301}", false), ("*/x", "a/b/x", true),
        ])
    func matches(_ row: (String, String, Bool)) {
        #expect(Wildcard(row.0).matches(row.1) == row.2, "\(row)")
    }
}
