// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import Testing

@Suite struct JSONWriterTests {
    @Test func escapesOnlyWhatMustBe() {
        let all = String(String.UnicodeScalarView((0..<0x20).map { Unicode.Scalar($0)! })) + "\"\\/<>&'\u{7F}é\u{2028}😀"
        #expect(
            JSONValue.string(all).description
                == #""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f"#
                + #"\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f"#
                + "\\\"\\\\/<>&'\u{7F}é\u{2028}😀\"")
    }

    @Test func keepsWhatItDoesNotKnow() throws {
        let text = #"{"z":1.50,"a":[1e3,{"":null}],"é":"/","b":{},"c":[],"d":12345678901234567890}"#
        #expect(String(decoding: try JSONValue(parsing: text).encoded(), as: UTF8.self) == text)
    }

    @Test func laysOutWithTwoSpaces() throws {
        let value: JSONValue = ["a": 1, "b": [true, [], [.null]], "c": [:], "d": ["e": "f", "g": ["h"]]]
        let pretty = """
            {
              "a": 1,
              "b": [
                true,
                [],
                [
                  null
                ]
              ],
              "c": {},
              "d": {
                "e": "f",
                "g": [
                  "h"
                ]
              }
            }
            """
        #expect(String(decoding: value.encoded(.pretty), as: UTF8.self) == pretty)
        #expect(try JSONValue(parsing: pretty) == value)
        #expect(value.description == #"{"a":1,"b":[true,[],[null]],"c":{},"d":{"e":"f","g":["h"]}}"#)
    }

    @Test(arguments: [JSONStyle.compact, .pretty])
    func writesPieceByPieceWhatItWritesWhole(style: JSONStyle) {
        var writer = JSONWriter(style, appendingTo: Array("> ".utf8))
        writer.beginObject()
        writer.key("list")
        writer.beginArray()
        for index in 0..<2 {
            writer.beginObject()
            writer.key("n")
            writer.write(JSONValue(index))
            writer.endObject()
        }
        writer.beginArray()
        writer.endArray()
        writer.endArray()
        writer.key("text")
        writer.write("x")
        writer.endObject()
        let whole: JSONValue = ["list": [["n": 0], ["n": 1], []], "text": "x"]
        #expect(writer.bytes == Array("> ".utf8) + whole.encoded(style))
    }

    @Test func appendsToABuffer() {
        var bytes = Array("data: ".utf8)
        JSONValue.array([1]).write(to: &bytes)
        JSONValue.array([2]).write(to: &bytes)
        #expect(bytes == Array("data: [1][2]".utf8))
    }
}
