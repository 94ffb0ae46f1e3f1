// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import Testing

@Suite struct ActivationTests {
    @Test(
        arguments: [
            (#"{"Implements":["mountpoint"]}"#, ["mountpoint"]),
            (#"{"Implements":["VolumeDriver","mountpoint","NetworkDriver"],"More":1}"#, ["VolumeDriver", "mountpoint", "NetworkDriver"]),
            (#"{"Implements":null}"#, []), ("{}", []), (#"{"implements":["mountpoint"]}"#, ["mountpoint"]),
        ] as [(String, [String])])
    func readsWhatPluginsAnswer(body: String, names: [String]) throws {
        #expect(try Activation.readResponse(Array(body.utf8).span) == names)
    }

    @Test(
        arguments: [
            ("", "the answer has no body"), ("[]", "the answer must be a JSON object, not an array"),
            ("{", "the answer is not valid JSON: line 1, column 2: the document ends too early"),
            (#"{"Implements":"mountpoint"}"#, "Implements must be an array, not a string"),
            (#"{"Implements":["a",1]}"#, "Implements[1] must be a string, not a number"),
            (#"{"Implements":[null]}"#, "Implements[0] must be a string, not null"),
        ])
    func refusesTheRest(body: String, message: String) {
        let error = #expect(throws: ResponseError.self) { try Activation.readResponse(Array(body.utf8).span) }
        #expect(error?.message == message)
    }

    @Test func readsItsOwnWriting() throws {
        var writer = JSONWriter()
        Activation.writeResponse(implementing: [.mountPoint, .volumeDriver], to: &writer)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == #"{"Implements":["mountpoint","VolumeDriver"]}"#)
        #expect(try Activation.readResponse(writer.bytes.span) == ["mountpoint", "VolumeDriver"])
    }
}
