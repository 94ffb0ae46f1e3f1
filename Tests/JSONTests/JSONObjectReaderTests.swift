// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing

@testable import JSON

struct JSONObjectReaderTests {
    private static func reader(_ text: String, names: JSONObjectReader.Names = .exact) throws -> JSONObjectReader {
        try JSONObjectReader(parsing: Array(text.utf8), names: names)
    }

    @Test func whatIsMissingOrNullIsEmptyOrUnsaid() throws {
        for text in ["{}", #"{"a":null}"#] {
            let object = try Self.reader(text)
            #expect(try object.text("a") == "" && object.flag("a") == false && object.number("a") == 0 && object.texts("a") == [])
            #expect(try object.textIfPresent("a") == nil && object.flagIfPresent("a") == nil && object.secondsIfPresent("a") == nil)
            #expect(try object.objectIfPresent("a") == nil && object.object("a").members.isEmpty)
            #expect(try object.list("a") { $0.members.count } == [])
            #expect(!object.has("a"))
            #expect(throws: JSONShapeError("has no a")) { try object.need("a", object.textIfPresent) }
        }
    }

    @Test func readsEveryType() throws {
        let object = try Self.reader(
            #"{"t":"x","f":true,"n":-7,"s":0.5,"ts":["a","b"],"ns":[1,2],"o":{"t":"y"},"l":[{"t":"1"},{"t":"2"}],"m":{"k":"v","z":null}}"#)
        #expect(try object.text("t") == "x" && object.flag("f") && object.number("n") == -7 && object.secondsIfPresent("s") == 0.5)
        #expect(try object.texts("ts") == ["a", "b"])
        #expect(try object.numbers("ns") == [1, 2])
        #expect(try object.object("o").text("t") == "y")
        #expect(try object.list("l") { (one) throws(JSONShapeError) in try one.text("t") } == ["1", "2"])
        var entries: [String] = []
        try object.forEachText(in: "m") { count, key, text in entries.append("\(count) \(key)=\(text)") }
        #expect(entries == ["2 k=v", "2 z="])
        #expect(try object.need("t", object.textIfPresent) == "x")
    }

    @Test(arguments: [
        (#"{"a":{"b":[{"c":1}]}}"#, "a.b[0].c must be a string, not a number"),
        (#"{"a":{"b":[{},7]}}"#, "a.b[1] must be an object, not a number"), (#"{"a":{"b":{}}}"#, "a.b must be an array, not an object"),
        (#"{"a":[]}"#, "a must be an object, not an array"),
    ])
    func saysWhereSomethingIsWrong(text: String, words: String) throws {
        let error = #expect(throws: JSONShapeError.self) {
            _ = try Self.reader(text).object("a").list("b") { (one) throws(JSONShapeError) in try one.text("c") }
        }
        #expect(error?.description == words)
    }

    @Test(arguments: [("256", "256"), ("-1", "-1"), ("1.0", "1.0"), ("1e2", "1e2"), (#""1""#, "a string")])
    func refusesNumbersThatDoNotFit(spelled: String, found: String) throws {
        let object = try Self.reader(#"{"n":\#(spelled)}"#)
        let error = #expect(throws: JSONShapeError.self) { () throws -> Void in let _: UInt8 = try object.number("n") }
        #expect(error?.description == "n must be a whole number from 0 to 255, not \(found)")
    }

    @Test(arguments: ["-1", "1e400", #""1""#, "[]"]) func refusesWhatIsNoTime(spelled: String) throws {
        #expect(throws: JSONShapeError.self) { try Self.reader(#"{"s":\#(spelled)}"#).secondsIfPresent("s") }
    }

    @Test(arguments: [
        ("", "it is not valid JSON: line 1, column 1: the document ends too early"), ("[1]", "it must be a JSON object, not an array"),
    ])
    func refusesWhatIsNoObject(text: String, words: String) {
        let error = #expect(throws: JSONShapeError.self) { try Self.reader(text) }
        #expect(error?.description == words)
    }

    @Test func readsNamesInAnyCaseOnlyIfItIsTold() throws {
        let text = #"{"NAME":"1","name":"2","nAme":"3","\#u{17F}pec":"4"}"#
        #expect(try Self.reader(text).text("Name") == "")
        let any = try Self.reader(text, names: .anyCase)
        #expect(try any.text("Name") == "3" && any.text("name") == "2" && any.text("Spec") == "4")
    }

    @Test func namesOtherSpellings() throws {
        let found = try Self.reader(#"{"mounts":[],"Mounts":[]}"#).otherSpelling(of: ["root", "mounts"])
        #expect(found?.place == "Mounts" && found?.key == "mounts")
        #expect(try Self.reader(#"{"mounts":[],"mount":[]}"#).otherSpelling(of: ["root", "mounts"]) == nil)
    }

    @Test func namesWhatNobodyHasAskedFor() throws {
        let object = try Self.reader(#"{"a":1,"b":[{"c":"x","d":2}],"e":{"f":{}},"g":{"h":"i"}}"#).notingUnread()
        _ = try object.list("b") { (one) throws(JSONShapeError) in try one.text("c") }
        _ = try object.object("e")
        try object.forEachText(in: "g") { _, _, _ in }
        #expect(object.unreadMembers == ["a", "b[0].d", "e.f"])
        #expect(try Self.reader(#"{"a":1}"#).unreadMembers == [])
    }
}
