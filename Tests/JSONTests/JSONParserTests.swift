// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import Testing

@Suite struct JSONParserTests {
    @Test(
        arguments: [
            ("null", .null), ("true", true), (" false\r\n\t", false), ("\"\"", ""), ("[]", []), ("{}", [:]), ("[ ]", []), ("{ }", [:]),
            ("0", 0), ("-0", .number(JSONNumber(text: "-0")!)), ("-12", -12), ("[1,2]", [1, 2]), ("[ 1 , [ ] , { } ]", [1, [], [:]]),
            (#"{"Name":"volume-123"}"#, ["Name": "volume-123"]),
            (#"{ "a" : { "b" : [ null , true ] } , "" : 1 }"#, ["a": ["b": [.null, true]], "": 1]),
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (#""\u0041\u00e9\u20AC\ud83d\uDE00\u0000""#, "A\u{e9}€😀\u{0}"),
            (#""\uD800\uDC00\uDBFF\uDFFF\uE000\uFFFF""#, "\u{10000}\u{10FFFF}\u{E000}\u{FFFF}"),
            ("\"é€😀\u{7F}\u{2028}\"", "é€😀\u{7F}\u{2028}"),
        ] as [(String, JSONValue)])
    func acceptsWhatTheStandardAllows(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
    }

    @Test(arguments: ["0", "-0", "10", "1.0", "-0.10", "1e3", "1E+3", "12.5e-07", "123456789012345678901234567890"])
    func keepsTheSpellingOfNumbers(text: String) throws {
        #expect(try JSONValue(parsing: text) == .number(JSONNumber(text: text)!))
        #expect(String(decoding: try JSONValue(parsing: " [\(text)] ").encoded(), as: UTF8.self) == "[\(text)]")
    }

    @Test(arguments: [
        ("", 0), (" ", 1), ("nul", 3), ("nulL", 3), ("Null", 0), ("truefalse", 4), ("{} {}", 3), ("1 2", 2), ("[1]x", 3), ("NaN", 0),
        ("Infinity", 0), ("+1", 0), ("01", 1), ("-01", 2), ("00", 1), ("-", 1), ("-a", 1), (".5", 0), ("1.", 2), ("1.e3", 2), ("1e", 2),
        ("1e+", 3), ("1e+-2", 3), ("0x10", 1), ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3), ("[", 1), ("[1", 2), ("[}", 1), ("{]", 1), ("]", 0),
        ("{\"a\":1,}", 7), ("{\"a\" 1}", 5), ("{\"a\":}", 5), ("{a:1}", 1), ("{1:1}", 1), ("{\"a\":1]", 6), ("{\"a\":1", 6), ("'a'", 0),
        ("// x\n1", 0), ("\"", 1), ("\"a", 2), ("\"\\", 2), ("\"\\\"", 3), ("\"\\x\"", 1), ("\"a\\u12\"", 2), ("\"\\u12g4\"", 1),
        ("\"\\u+123\"", 1), ("\"\\ud800\"", 1), ("\"\\udc00\"", 1), ("\"\\ud800\\u0041\"", 1), ("\"\\ud800\\ud800\"", 1),
        ("\"\\ud800x\"", 1), ("\"\\ud800\\n\"", 1), ("\"\\ud800\\u12\"", 7), ("\"a\nb\"", 2), ("\"\u{0}\"", 1), ("\"\u{1F}\"", 1),
        ("\"\\\u{1}\"", 1), ("\u{FEFF}1", 0), ("\u{A0}1", 0), ("1\u{0}", 1), ("{\"a\":1,\"a\":2}", 7), ("{\"a\":1,\"\\u0061\":2}", 7),
    ])
    func refusesWhatTheStandardForbids(text: String, offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(error?.offset == offset, "\(error.map(\.description) ?? "")")
    }

    @Test(
        arguments: [
            [0x80], [0xC3], [0xC3, 0x28], [0xC0, 0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
            [0xFF],
        ] as [[UInt8]])
    func refusesBytesThatAreNotUTF8(bytes: [UInt8]) {
        for prefix in ["\"ab", "{\"ab"] {
            let document = Array(prefix.utf8) + bytes + Array("\\n\"".utf8)
            let error = #expect(throws: JSONError.self) { try JSONValue(parsing: document) }
            #expect(error?.reason == "the bytes are not UTF-8")
            #expect(error?.offset == prefix.utf8.count)
        }
        #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
    }

    @Test func tellsLineAndColumn() {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: "{\n  \"é\": 1,\n  \"b\": x\n}") }
        #expect(error?.description == "line 3, column 8: a value must stand here")
        #expect(error?.offset == 20)
    }

    @Test(arguments: [
        ("[01]", "a number may not have leading zeros"), ("[1 2]", "a comma or ] must follow"), ("{\"a\":1 2}", "a comma or } must follow"),
        ("[1", "the document ends too early"), ("tru ", "only true can stand here"), ("1 1", "nothing may follow the document"),
        ("[\"a", "the document ends too early"), ("{,}", "a key in quotes must stand here"),
    ])
    func saysWhatIsWrong(text: String, reason: String) {
        #expect(#expect(throws: JSONError.self) { try JSONValue(parsing: text) }?.reason == reason)
    }

    @Test func saysWhichKeyIsThereTwice() {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: #"{"a\nb":1,"a\nb":2}"#) }
        #expect(error?.reason == #"the key "a\nb" is there twice"#)
    }

    @Test func keepsKeysApartThatUnicodeTakesForOne() throws {
        let value = try JSONValue(parsing: "{\"\u{e9}\":1,\"e\u{301}\":2}")
        #expect(value["\u{e9}"] == 1)
        #expect(value["e\u{301}"] == 2)
        #expect(JSONValue.string("\u{e9}") != JSONValue.string("e\u{301}"))
    }

    @Test(arguments: [15, 16, 17, 18, 1000])
    func refusesTheSameKeyTwiceInObjectsOfAnySize(count: Int) throws {
        let members = (0..<count).map { "\"key \($0)\":\($0)" }
        let value = try JSONValue(parsing: "{" + members.joined(separator: ",") + "}")
        #expect(value.objectValue?.count == count)
        for repeated in [0, count / 2, count - 1] {
            #expect(throws: JSONError.self) {
                try JSONValue(parsing: "{" + (members + [members[repeated]]).joined(separator: ",") + "}")
            }
        }
        // And tells apart what only Unicode takes for one, here as well.
        let accents = ["\"\u{e9}\":1", "\"e\u{301}\":2"]
        #expect(try JSONValue(parsing: "{" + (members + accents).joined(separator: ",") + "}").objectValue?.count == count + 2)
    }

    @Test func limitsTheDepth() throws {
        let deepest = JSONValue.depthLimit
        _ = try JSONValue(parsing: String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest))
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "[", count: 5_000_000)) }
        #expect(error?.offset == deepest)
        #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "{\"\":", count: 200_000)) }
        // Levels count only while they are open.
        _ = try JSONValue(parsing: "[" + Array(repeating: "[[]],{},{\"a\":[]}", count: 500).joined(separator: ",") + "]")
    }
}
