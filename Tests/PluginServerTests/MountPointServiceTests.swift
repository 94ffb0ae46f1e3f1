// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import PluginServer
import SystemPackage
import Testing

/// A plugin of mount points, served.
@Suite(.timeLimit(.minutes(1))) struct MountPointServiceTests {
    @Test func answersEachCallOfTheInterface() async throws {
        try await withPlugin { plugin, client, _ in
            let activation = try await client.call("/Plugin.Activate", "")
            #expect(activation.body == #"{"Implements":["mountpoint"]}"#)
            await plugin.events.wait(for: "activated")
            let properties = try await client.call("/MountPointPlugin.MountPointProperties", "{}")
            #expect(properties.body == #"{"Success":true,"Patterns":[{"Source":[{"PathPrefix":"/srv"}]}],"Mounted":true}"#)
            let attached = try await client.call(
                "/MountPointPlugin.MountPointAttach", #"{"ID":"c1","Mounts":[{"Source":"/srv/a","Destination":"/a"}]}"#)
            #expect(attached.status == 200)
            #expect(attached.body == #"{"Success":true,"Attachments":[{"Attach":true,"Changes":{"ReadOnly":true}}]}"#)
            let mounted = try await client.call("/MountPointPlugin.MountPointMounted", #"{"ID":"c1","Pid":7,"Mounts":[]}"#)
            #expect(mounted.body == #"{"Success":true}"#)
            let detached = try await client.call("/MountPointPlugin.MountPointDetach", #"{"ID":"c1","Reason":"ended","ExitStatus":3}"#)
            #expect(detached.body == #"{"Success":true}"#)
            #expect(plugin.events.all == ["activated", "attach c1 /a", "mounted c1 7", "detach c1 ended 3"])
        }
    }

    @Test func saysWhyItFailsInTheWordsOfTheInterface() async throws {
        try await withPlugin { _, client, log in
            let attached = try await client.call("/MountPointPlugin.MountPointAttach", #"{"ID":"bad","Mounts":[]}"#)
            #expect(attached.status == 200 && attached.body == #"{"Success":false,"Err":"bad bad"}"#)
            let mounted = try await client.call("/MountPointPlugin.MountPointMounted", #"{"ID":"bad","Pid":7}"#)
            #expect(mounted.status == 200 && mounted.body == #"{"Success":false,"Err":"bad bad"}"#)
            let detached = try await client.call("/MountPointPlugin.MountPointDetach", #"{"ID":"bad"}"#)
            #expect(detached.status == 200 && detached.body == #"{"Success":false,"Recoverable":true,"Err":"bad bad"}"#)
            for call in ["Attach", "Mounted", "Detach"] {
                #expect(log.all.contains("error MountPointPlugin.MountPoint\(call) failed: bad bad"))
            }
        }
    }

    @Test(arguments: [
        ("/MountPointPlugin.MountPointAttach", "", 400), ("/MountPointPlugin.MountPointAttach", "{}", 400),
        ("/MountPointPlugin.MountPointMounted", #"{"ID":"c1"}"#, 400), ("/VolumeDriver.List", "", 404),
    ])
    func refusesWhatItDoesNotUnderstand(path: String, body: String, status: Int) async throws {
        try await withPlugin { plugin, client, _ in
            let answer = try await client.call(path, body)
            #expect(answer.status == status)
            #expect(plugin.events.all.isEmpty)
        }
    }

    private func withPlugin(_ body: (TestMountPointPlugin, RawClient, EventLog) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let log = EventLog()
            let plugin = TestMountPointPlugin()
            let path = folder.appending("test.sock")
            let listener = PluginListener(name: "test", socket: .path(path), service: MountPointService(plugin))
            let server = PluginServer(listeners: [listener], logger: logger(writingTo: log))
            try await server.start()
            do {
                try await body(plugin, try RawClient(path), log)
            } catch {
                await server.stop()
                throw error
            }
            await server.stop()
        }
    }
}

/// Attaches each mount read-only; fails for the container `bad`.
private final class TestMountPointPlugin: MountPointPlugin {
    let events = EventLog()
    let properties: MountPointProperties

    init() {
        var pattern = MountPointPattern()
        pattern.source = [StringPattern(pathPrefix: "/srv")]
        properties = MountPointProperties(patterns: [pattern], mounted: true)
    }

    func activated() { events.add("activated") }

    func attach(_ request: MountPointAttachRequest) async throws(PluginError) -> [DockerPluginAPI.Attachment] {
        try check(request.id)
        events.add("attach \(request.id) \(request.mounts.map(\.destination).joined(separator: ","))")
        return request.mounts.map { _ in DockerPluginAPI.Attachment(attach: true, changes: MountPointChanges(readOnly: true)) }
    }

    func detach(_ request: MountPointDetachRequest) async throws(DetachError) {
        if request.id == "bad" { throw DetachError("bad bad", isRecoverable: true) }
        events.add("detach \(request.id) \(request.reason.rawValue) \(request.exitStatus ?? 0)")
    }

    func mounted(_ request: MountPointMountedRequest) async throws(PluginError) {
        try check(request.id)
        events.add("mounted \(request.id) \(request.pid)")
    }

    private func check(_ id: String) throws(PluginError) {
        if id == "bad" { throw PluginError("bad bad") }
    }
}
