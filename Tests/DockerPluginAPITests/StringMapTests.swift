// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Testing

@Suite struct StringMapTests {
    @Test func keepsOrderAndReplacesInPlace() {
        var map: StringMap = ["b": "1", "a": "2", "b": "3"]
        #expect(map.entries.map(\.key) == ["b", "a"])
        #expect(map["b"] == "3")
        map["c"] = "4"
        map["b"] = nil
        map["absent"] = nil
        #expect(map.entries.map { "\($0.key)=\($0.value)" } == ["a=2", "c=4"])
        #expect(map.count == 2 && !map.isEmpty)
    }

    @Test func theOrderDoesNotCountForEquality() {
        #expect(["a": "1", "b": "2"] as StringMap == ["b": "2", "a": "1"])
        #expect(["a": "1"] as StringMap != ["a": "2"])
        #expect(["a": "1"] as StringMap != ["a": "1", "b": "2"])
        #expect(["a": "1"] as StringMap != ["b": "1"])
    }

    /// `é` in one code point and in two are different labels to Docker.
    @Test func keysAreBytes() {
        let map: StringMap = ["\u{e9}": "one", "e\u{301}": "two"]
        #expect(map.count == 2)
        #expect(map["e\u{301}"] == "two")
        #expect(["k": "\u{e9}"] as StringMap != ["k": "e\u{301}"])
    }
}
