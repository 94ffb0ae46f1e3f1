// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import Testing

@Suite struct JSONValueTests {
    @Test func givesOutWhatItIsAndNothingElse() {
        let value: JSONValue = ["n": 5, "s": "text", "b": true, "a": [1, .null], "o": ["k": "v"]]
        #expect(value["n"]?.intValue == 5)
        #expect(value["n"]?.doubleValue == 5)
        #expect(value["s"]?.stringValue == "text")
        #expect(value["b"]?.boolValue == true)
        #expect(value["a"]?.arrayValue == [1, .null])
        #expect(value["o"]?.objectValue == ["k": "v"])
        #expect(value["a"]?.arrayValue?.last?.isNull == true)
        #expect(value["missing"] == nil)
        #expect(value["n"]?["k"] == nil)
        #expect(value["s"]?.intValue == nil)
        #expect(value["n"]?.stringValue == nil)
        #expect(value["b"]?.intValue == nil)
        #expect(value["n"]?.isNull == false)
    }

    @Test(arguments: [
        ("9223372036854775807", Int.max), ("-9223372036854775808", .min), ("9223372036854775808", nil), ("1.0", nil), ("1e3", nil),
        ("-0", 0),
    ])
    func readsWholeNumbersThatFit(text: String, value: Int?) throws {
        #expect(try JSONValue(parsing: text).intValue == value)
    }

    @Test func makesNumbersThatAreJSON() throws {
        #expect(JSONNumber(UInt64.max).text == "18446744073709551615")
        #expect(JSONNumber(1e300)?.doubleValue == 1e300)
        #expect(JSONNumber(0.1)?.text == "0.1")
        #expect(JSONNumber(Double.nan) == nil)
        #expect(JSONNumber(-Double.infinity) == nil)
        for text in ["", " 1", "1 ", "1,2", "[1]", "01", "+1", "\"1\"", "true"] { #expect(JSONNumber(text: text) == nil) }
        for double in [1e-7, Double.leastNonzeroMagnitude, 1.7976931348623157e308, -0.0] {
            let number = try #require(JSONNumber(double))
            #expect(try JSONValue(parsing: number.text).doubleValue == double)
        }
    }

    @Test func changesAnObjectInPlace() throws {
        var object = try #require(try JSONValue(parsing: #"{"a":1,"b":2,"c":3}"#).objectValue)
        object["b"] = "new"
        object["d"] = [:]
        object["a"] = nil
        object["missing"] = nil
        #expect(JSONValue.object(object).description == #"{"b":"new","c":3,"d":{}}"#)
    }

    @Test func theOrderOfMembersCounts() {
        #expect(JSONValue(dictionaryLiteral: ("a", 1), ("b", 2)) != JSONValue(dictionaryLiteral: ("b", 2), ("a", 1)))
        #expect((["a": 1, "a": 2] as JSONValue).description == #"{"a":2}"#)
    }
}
