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

    @Test func manyEntriesBehaveLikeFew() {
        var map = StringMap()
        for number in 0..<1000 { map["k\(number)"] = "\(number)" }
        map.append(key: "appended", value: "a")
        for number in stride(from: 0, to: 1000, by: 2) { map["k\(number)"] = "even" }
        map["k1"] = nil
        map["k1"] = "last"
        map["appended"] = "b"
        #expect(map.count == 1001)
        #expect(map["k0"] == "even" && map["k3"] == "3" && map["k1"] == "last" && map["appended"] == "b" && map["absent"] == nil)
        #expect(map.entries.last?.key == "k1" && map.entries.first?.key == "k0")
        var reversed = StringMap()
        for entry in map.entries.reversed() { reversed.append(key: entry.key, value: entry.value) }
        #expect(reversed == map)
        reversed["k5"] = "other"
        #expect(reversed != map)
    }

    /// Twice as many take twice as long, not four times. Far from both, so that a busy machine cannot fail it.
    @Test func timeGrowsWithTheNumberOfEntries() {
        func time(_ count: Int) -> Duration {
            ContinuousClock().measure {
                var map = StringMap()
                for number in 0..<count { map["org.example.label.\(number)"] = "value" }
                #expect(map.count == count && map == map)
            }
        }
        _ = time(1000)
        let ratios = (0..<3).map { _ in time(80_000) / time(10_000) }
        #expect(ratios.min() ?? 100 < 30, "8 times the entries; comparing each with each would take 64 times as long")
    }
}
