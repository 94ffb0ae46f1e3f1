// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Testing

@Suite struct VolumeRequestsTests {
    @Test(
        arguments: [
            (.create, #"{"Name":"v","Opts":{"addr":"host","o":""}}"#, .create(name: "v", options: ["addr": "host", "o": ""])),
            (.create, #"{"Name":"v","Opts":null}"#, .create(name: "v", options: [:])),
            (.create, #"{"Name":"a/b"}"#, .create(name: "a/b", options: [:])),
            (.remove, #"{"Name":"v","Opts":7}"#, .remove(name: "v")),
            (.mount, #"{"Name":"v","ID":"0f"}"#, .mount(name: "v", id: "0f")),
            (.unmount, #"{"ID":"0f","Name":"v","More":[{}]}"#, .unmount(name: "v", id: "0f")),
            (.path, #"{"Name":"v"}"#, .path(name: "v")),
            (.get, #" {"Name":"v"} "#, .get(name: "v")),
            (.list, "{}", .list), (.list, "", .list), (.list, "nonsense", .list),
            (.capabilities, "{}", .capabilities), (.capabilities, "", .capabilities),
        ] as [(VolumeMethod, String, VolumeRequest)])
    func readsWhatEnginesSend(method: VolumeMethod, body: String, request: VolumeRequest) throws {
        #expect(try VolumeRequest(method, body: Array(body.utf8).span) == request)
    }

    @Test(
        arguments: [
            (.get, "", "the request has no body, as when an engine repeats one whose first try broke off; try the command again"),
            (.get, "{", "the request is not valid JSON: line 1, column 2: the document ends too early"),
            (.get, "[]", "the request must be a JSON object, not an array"),
            (.get, "{}", "the request has no Name"),
            (.get, #"{"name":"v"}"#, "the request has no Name"),
            (.get, #"{"Name":null}"#, "the request has no Name"),
            (.remove, #"{"Name":""}"#, "the request has an empty Name"),
            (.path, #"{"Name":["v"]}"#, "Name must be a string, not an array"),
            (.mount, #"{"Name":"v"}"#, "the request has no ID"),
            (.unmount, #"{"Name":"v","ID":""}"#, "the request has an empty ID"),
            (
                .mount, "{\"Name\":\"v\",\"ID\":\"\(String(repeating: "é", count: 128))x\"}",
                "the request has ID of 257 bytes; at most 256 are taken"
            ),
            (.unmount, #"{"Name":"v","ID":1}"#, "ID must be a string, not a number"),
            (.create, #"{"Name":"v","Opts":"o=ro"}"#, "Opts must be an object, not a string"),
            (.create, #"{"Name":"v","Opts":{"a":"b","si\nze":1}}"#, #"the option "si\nze" must be a string, not a number"#),
            (.create, #"{"Name":"v","Opts":{"o":null}}"#, #"the option "o" must be a string, not null"#),
            (
                .create, "{\"Name\":\"v\",\"Opts\":{\"\u{e9}\":\"1\",\"e\u{301}\":\"2\"}}",
                "the option \"e\u{301}\" is there twice, in two spellings"
            ),
        ] as [(VolumeMethod, String, String)])
    func refusesTheRestInOneLine(method: VolumeMethod, body: String, message: String) {
        let error = #expect(throws: RequestError.self) { try VolumeRequest(method, body: Array(body.utf8).span) }
        #expect(error?.message == message)
        #expect(error?.message.contains("\n") == false)
    }

    @Test(arguments: [VolumeMethod.create, .remove, .mount, .unmount, .path, .get])
    func anEmptyBodyIsNotAnEmptyName(method: VolumeMethod) {
        let error = #expect(throws: RequestError.self) { try VolumeRequest(method, body: [UInt8]().span) }
        #expect(error?.message.contains("try the command again") == true)
    }
}
