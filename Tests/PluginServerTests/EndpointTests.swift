// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import PluginServer
import Testing

@Suite(.timeLimit(.minutes(1))) struct EndpointTests {
    @Test(arguments: [
        ("/Plugin.Activate", "", #"{"Implements":["VolumeDriver"]}"#),
        ("/VolumeDriver.Capabilities", "{}", #"{"Capabilities":{"Scope":"local"}}"#),
        (
            "/VolumeDriver.Get", #"{"Name":"v"}"#,
            #"{"Volume":{"Name":"v","Mountpoint":"/mnt/v","CreatedAt":"2026-03-01T12:00:00Z","Status":{"n":1}},"Err":""}"#
        ),
        (
            "/VolumeDriver.List", "",
            #"{"Volumes":[{"Name":"v","Mountpoint":"/mnt/v","CreatedAt":"2026-03-01T12:00:00Z","Status":{"n":1}}],"Err":""}"#
        ),
        ("/VolumeDriver.Path", #"{"Name":"v"}"#, #"{"Mountpoint":"/mnt/v","Err":""}"#),
        ("/VolumeDriver.Create", #"{"Name":"new","Opts":{"o":"ro","addr":"h"}}"#, #"{"Err":""}"#),
        ("/VolumeDriver.Remove", #"{"Name":"v"}"#, #"{"Err":""}"#),
        ("/VolumeDriver.Mount", #"{"Name":"v","ID":"0f"}"#, #"{"Mountpoint":"/mnt/v","Err":""}"#),
        ("/VolumeDriver.Unmount", #"{"Name":"v","ID":"0f"}"#, #"{"Err":""}"#),
    ])
    func answers(path: String, request: String, body: String) async throws {
        try await withServer { fixture in
            let answer = try await fixture.client().call(path, request)
            #expect(answer.body == body)
            #expect(
                answer.header
                    == "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.plugins.v1.2+json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            )
        }
    }

    /// For the administrator, beside what engines ask for.
    @Test func changesOfVolumesAreServedWhereTheyAreAdministered() async throws {
        let request = #"{"Name":"v","Opts":{"o":"ro"}}"#
        try await withServer { fixture in
            let answer = try await fixture.client().call(VolumeSetRequest.path, request)
            #expect(answer.status == 404)
        }
        try await withServer(administration: TestAdministration()) { fixture in
            let client = try fixture.client()
            let answer = try await client.call(VolumeSetRequest.path, request)
            #expect(answer.body == #"{"Changes":[{"Name":"o","Old":"before","New":"ro"}],"Err":""}"#)
            let response = try VolumeSetResponse(parsing: Array(answer.body.utf8))
            #expect(response.changes == [VolumeOptionChange(name: "o", old: "before", new: "ro")])
            let removal = try await client.call(VolumeSetRequest.path, #"{"Name":"v","Opts":{"o":""}}"#)
            #expect(removal.body == #"{"Changes":[{"Name":"o","Old":"before"}],"Err":""}"#)
            let failed = try await client.call(VolumeSetRequest.path, #"{"Name":"bad"}"#)
            #expect(failed.status == 500 && failed.body == #"{"Err":"no volume bad"}"#)
            let refused = try await client.call(VolumeSetRequest.path, "{}")
            #expect(refused.status == 400)
        }
    }

    @Test func passesOnWhatWasAsked() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            _ = try await client.call("/VolumeDriver.Create", #"{"Name":"new","Opts":{"o":"ro","addr":"h"}}"#)
            _ = try await client.call("/VolumeDriver.Mount", #"{"Name":"new","ID":"a"}"#)
            _ = try await client.call("/VolumeDriver.Unmount", #"{"Name":"new","ID":"a"}"#)
            _ = try await client.call("/VolumeDriver.Remove", #"{"Name":"new"}"#)
            #expect(fixture.driver.events.all == ["create new addr=h,o=ro", "mount new a", "unmount new a", "remove new"])
        }
    }

    @Test(arguments: [
        ("/VolumeDriver.Get", #"{"Name":"bad"}"#, "no volume bad"), ("/VolumeDriver.Path", #"{"Name":"bad"}"#, "no volume bad"),
        ("/VolumeDriver.Create", #"{"Name":"bad"}"#, "bad bad"), ("/VolumeDriver.Remove", #"{"Name":"bad"}"#, "bad bad"),
        ("/VolumeDriver.Mount", #"{"Name":"bad","ID":"a"}"#, "bad bad"), ("/VolumeDriver.Unmount", #"{"Name":"bad","ID":"a"}"#, "bad bad"),
    ])
    func answersAFailureWithStatus500(path: String, request: String, message: String) async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            let answer = try await client.call(path, request)
            #expect(answer.status == 500)
            #expect(answer.body == #"{"Err":"\#(message)"}"#)
            // The connection stays good.
            #expect(try await client.call("/VolumeDriver.Capabilities").status == 200)
        }
    }

    @Test func logsAFailedChangeOnceAndAFailedQuestionNot() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            _ = try await client.call("/VolumeDriver.Get", #"{"Name":"bad"}"#)
            _ = try await client.call("/VolumeDriver.Mount", #"{"Name":"bad","ID":"a"}"#)
            #expect(fixture.log.all.filter { !$0.hasPrefix("debug") } == ["error VolumeDriver.Mount failed: bad bad"])
        }
    }

    @Test(arguments: [
        ("POST", "/VolumeDriver.Destroy", 404), ("POST", "/volumedriver.get", 404), ("POST", "/VolumeDriver.Get/", 404),
        ("POST", "/VolumeDriver.Get?x", 404), ("GET", "/", 404), ("GET", "/VolumeDriver.List", 405), ("PUT", "/Plugin.Activate", 405),
    ])
    func refusesWhatThereIsNot(method: String, path: String, status: Int) async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            try await client.send("\(method) \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            let answer = try await client.answer()
            #expect(answer.status == status)
            #expect(answer.body.hasPrefix(#"{"Err":""#))
            if status == 404 { #expect(try await client.call("/Plugin.Activate").status == 200) }
        }
    }

    @Test(arguments: [
        ("/VolumeDriver.Get", "", "the request has no body"), ("/VolumeDriver.Create", "", "the request has no body"),
        ("/VolumeDriver.Mount", "{\"Name\"", "the request is not valid JSON"),
        ("/VolumeDriver.Mount", #"{"Name":"v"}"#, "the request has no ID"),
        ("/VolumeDriver.Remove", #"{"Name":""}"#, "the request has an empty Name"),
        ("/VolumeDriver.Create", #"{"Name":"v","Opts":{"a":1}}"#, #"the option \"a\" must be a string"#),
    ])
    func answersWhatItCannotReadWithStatus400(path: String, request: String, message: String) async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            let answer = try await client.call(path, request)
            #expect(answer.status == 400)
            #expect(answer.body.hasPrefix(#"{"Err":"\#(message)"#), "\(answer.body)")
            #expect(try await client.call("/Plugin.Activate").status == 200)
            #expect(fixture.driver.events.all.filter { $0 != "activated" }.isEmpty)
        }
    }

    /// dockerd repeats a call that was interrupted without what it said: every retry reads one buffer, which the first attempt emptied.
    @Test(arguments: ["Create", "Get", "Mount", "Path", "Remove", "Unmount"])
    func aRepeatedCallWithoutItsBodyIsACleanError(method: String) async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            let answer = try await client.call("/VolumeDriver.\(method)", "")
            #expect(answer.status == 400)
            #expect(answer.body.hasPrefix(#"{"Err":"the request has no body"#), "\(answer.body)")
            #expect(fixture.driver.events.all.isEmpty, "nothing was done for it")
            #expect(try await client.call("/VolumeDriver.Get", #"{"Name":"v"}"#).status == 200, "the connection stays good")
        }
    }

    @Test func tellsTheDriverOfEachActivationAfterTheAnswer() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            _ = try await client.call("/VolumeDriver.List")
            #expect(fixture.driver.events.all.isEmpty)
            _ = try await client.call("/Plugin.Activate", "")
            await fixture.driver.events.wait(for: "activated")
            _ = try await client.call("/Plugin.Activate", "")
            await fixture.driver.events.wait(for: "activated", times: 2)
        }
    }

    @Test func listsAThousandVolumes() async throws {
        let volumes = (0..<1000).map { Volume(name: "volume-\($0)", mountpoint: "/mnt/\($0)", status: ["server": "nfs"]) }
        try await withServer(TestDriver(volumes: volumes)) { fixture in
            let client = try fixture.client()
            for _ in 0..<3 {
                let answer = try await client.call("/VolumeDriver.List")
                #expect(answer.body.hasPrefix(#"{"Volumes":[{"Name":"volume-0","Mountpoint":"/mnt/0","Status":{"server":"nfs"}},"#))
                #expect(answer.body.hasSuffix(#"{"Name":"volume-999","Mountpoint":"/mnt/999","Status":{"server":"nfs"}}],"Err":""}"#))
            }
        }
    }
}

/// Knows one volume, and says of each option that it was `before`.
private struct TestAdministration: VolumeAdministration {
    func set(_ name: String, _ changes: [String: String]) async throws(PluginError) -> [VolumeOptionChange] {
        guard name == "v" else { throw PluginError("no volume \(name)") }
        return changes.map { VolumeOptionChange(name: $0.key, old: "before", new: $0.value.isEmpty ? nil : $0.value) }
    }
}
