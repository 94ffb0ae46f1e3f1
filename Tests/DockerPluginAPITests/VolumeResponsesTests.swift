// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import Testing

@Suite struct VolumeResponsesTests {
    static let full = Volume(name: "a\"b", mountpoint: "/mnt/a", createdAt: "2026-03-01T12:00:00Z", status: ["healthy": true])

    @Test(
        arguments: [
            (.done, #"{"Err":""}"#),
            (.mountpoint("/mnt/é"), #"{"Mountpoint":"/mnt/é","Err":""}"#),
            (.mountpoint(""), #"{"Mountpoint":"","Err":""}"#),
            (.volume(Volume(name: "v")), #"{"Volume":{"Name":"v","Mountpoint":""},"Err":""}"#),
            (
                .volume(full),
                #"{"Volume":{"Name":"a\"b","Mountpoint":"/mnt/a","CreatedAt":"2026-03-01T12:00:00Z","Status":{"healthy":true}},"Err":""}"#
            ),
            (.volumes([]), #"{"Volumes":[],"Err":""}"#),
            (
                .volumes([Volume(name: "v"), Volume(name: "w", mountpoint: "/w")]),
                #"{"Volumes":[{"Name":"v","Mountpoint":""},{"Name":"w","Mountpoint":"/w"}],"Err":""}"#
            ),
            (.capabilities(.local), #"{"Capabilities":{"Scope":"local"}}"#),
            (.capabilities(.global), #"{"Capabilities":{"Scope":"global"}}"#),
        ] as [(VolumeResponse, String)])
    func spellsAnswersAsEnginesReadThem(response: VolumeResponse, text: String) {
        var writer = JSONWriter()
        response.write(to: &writer)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == text)
    }

    @Test func spellsTheActivationAndErrors() {
        var writer = JSONWriter()
        Activation.writeResponse(implementing: [.volumeDriver], to: &writer)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == #"{"Implements":["VolumeDriver"]}"#)
        writer = JSONWriter()
        ErrorResponse("no \"such\"\nvolume").write(to: &writer)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == #"{"Err":"no \"such\"\nvolume"}"#)
    }
}
