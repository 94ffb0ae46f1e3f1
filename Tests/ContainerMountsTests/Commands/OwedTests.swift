// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

/// Plugins that could not be told that a container has ended.
@Suite(.serialized)
struct OwedTests {
    /// Where attach answers with an emergency action that does nothing, unwinding goes on without the plugin.
    private func letGo(_ plugin: FakePlugin) {
        plugin.when("Attach") { request in
            let mounts = request["Mounts"]?.arrayValue ?? []
            return [
                "Success": true,
                "Attachments": .array(mounts.map { _ in ["Attach": true, "EmergencyDetach": [["Warning": "it is away"]]] }),
            ]
        }
    }

    /// A container of which `second` could not be asked, and `first` was not because of that.
    private func leaveOwed(_ runtime: ScratchRuntime, _ plugins: [String: FakePlugin]) async throws {
        try runtime.write(settings: ["mount-point-plugins": ["first", "second"], "plugin-timeout": 1])
        try await runtime.startContainer("c1")
        plugins["second"]?.end()
        #expect(try await runtime.run("delete", "--force", "c1").status == 0)
        #expect(runtime.files(below: "run").filter { $0.hasPrefix("containers") } == [], "a new container can have the id")
    }

    @Test func whatWasNotAskedIsAskedByDetach() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            try await leaveOwed(runtime, plugins)
            #expect(runtime.log.calls("Detach").isEmpty)
            let still = try await runtime.run("detach", "c1")
            #expect(still.status == 1 && still.output.contains("second"), "\(still)")
            #expect(runtime.log.calls("Detach").isEmpty, "first is not asked below one that cannot be")
            try plugins["second"]?.begin()
            let done = try await runtime.run("detach", "c1")
            #expect(done.status == 0, "\(done)")
            #expect(runtime.log.lines.suffix(2) == ["second Detach c1", "first Detach c1"])
            #expect(runtime.files(below: "run/owed") == [])
            #expect(try await runtime.run("detach", "c1").status == 1, "nothing is owed any more")
            #expect(runtime.log.calls("Detach").count == 2)
        }
    }

    @Test func doctorAndStatusNameIt() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            try await leaveOwed(runtime, plugins)
            let doctor = try await runtime.run("doctor")
            #expect(doctor.output.contains("container c1: plugin second could not be asked to detach"), "\(doctor)")
            #expect(doctor.output.contains("mountpoint-runc detach c1"))
            let status = try await runtime.run("status", "--json", "c1")
            let document = try JSONValue(parsing: Array(status.output.utf8))
            let owed = document["containers"]?.arrayValue?.first?["owed"]?.arrayValue ?? []
            #expect(owed.compactMap { $0["plugin"]?.stringValue } == ["second", "first"], "\(status)")
        }
    }

    @Test func onePluginCanBeNamed() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            try await leaveOwed(runtime, plugins)
            #expect(try await runtime.run("detach", "c1", "first").status == 0)
            #expect(runtime.log.calls("Detach").map(\.plugin) == ["first"])
            #expect(try await runtime.run("detach", "c1", "third").status == 1)
        }
    }

    @Test func theNextCreateAsksFirst() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            try await leaveOwed(runtime, plugins)
            try plugins["second"]?.begin()
            try await runtime.startContainer("c1")
            #expect(
                runtime.log.lines.dropFirst(2) == ["second Detach c1", "first Detach c1", "first Attach c1", "second Attach c1"])
        }
    }

    @Test func aPluginThatIsGoneForGoodDoesNotBlockItsContainers() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            if let second = plugins["second"] { letGo(second) }
            try await leaveOwed(runtime, plugins)
            #expect(runtime.log.calls("Detach").map(\.plugin) == ["first"], "what stands in for second's detach has been done")
            try runtime.write(settings: ["mount-point-plugins": ["first"], "plugin-timeout": 1])
            try await runtime.startContainer("c1")
            #expect(try await runtime.run("delete", "--force", "c1").status == 0)
            #expect(runtime.files(below: "run/owed") == ["default/c1/second.json"], "it stays owed")
        }
    }

    @Test func aPluginThatAttachesAgainIsOwedNothing() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            plugins["second"]?.when("Detach") { _ in ["Success": false, "Recoverable": false, "Err": "stuck"] }
            try await runtime.startContainer("c1")
            #expect(try await runtime.run("delete", "--force", "c1").status == 0)
            #expect(runtime.files(below: "run/owed") == ["default/c1/first.json"], "second has been asked")
            try await runtime.startContainer("c1")
            #expect(runtime.log.calls("Detach").map(\.plugin) == ["second"], "what second has mounted may still be there")
            #expect(runtime.files(below: "run/owed") == [])
        }
    }

    @Test func aPersistentPluginIsToldOfAReboot() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            plugins["first"]?.set(["Persistent": true])
            let gate = try #require(plugins["first"]).gate("Attach")
            let bundle = try runtime.makeBundle("c1")
            let creating = try runtime.start("create", "--bundle", bundle, "--pid-file", bundle + "/pid", "c1")
            try await gate.isReached()
            #expect(runtime.files(below: "lib") == ["containers/default/c1/first.json"], "before it has answered")
            gate.open()
            #expect(try await creating.end(within: .seconds(10)) == 0)
            #expect(runtime.files(below: "lib") == ["containers/default/c1/first.json"])

            try await runtime.reboot()
            let recovered = try await runtime.run("recover")
            #expect(recovered.status == 0, "\(recovered)")
            let detach = try #require(runtime.log.calls("Detach").last)
            #expect(runtime.log.calls("Detach").count == 1)
            #expect(detach.plugin == "first" && detach.request["Reason"] == "boot")
            #expect(detach.request["Mounts"]?.arrayValue?.count == 1)
            #expect(runtime.files(below: "lib") == [])
        }
    }

    @Test func withoutTheUnitTheFirstCreateTellsOfAReboot() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            try runtime.write(settings: ["mount-point-plugins": ["first"], "persistent": true])
            try await runtime.startContainer("c1")
            try await runtime.reboot()
            try await runtime.startContainer("c2")
            #expect(runtime.log.lines.dropFirst() == ["first Detach c1", "first Attach c2"])
            #expect(try await runtime.run("delete", "--force", "c2").status == 0)
            #expect(runtime.files(below: "lib") == [])
        }
    }

    @Test func aPluginThatIsAwayAfterARebootStaysOwed() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            try runtime.write(settings: ["mount-point-plugins": ["first"], "persistent": true, "plugin-timeout": 1])
            try await runtime.startContainer("c1")
            try await runtime.reboot()
            plugins["first"]?.end()
            #expect(try await runtime.run("recover").status == 1)
            #expect(runtime.files(below: "lib") == ["containers/default/c1/first.json"])
            try plugins["first"]?.begin()
            #expect(try await runtime.run("detach", "c1").status == 0)
            #expect(runtime.log.calls("Detach").last?.request["Reason"] == "boot")
            #expect(runtime.files(below: "lib") == [])
        }
    }

    @Test func inTheSameBootNothingIsRecovered() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            try runtime.write(settings: ["mount-point-plugins": ["first"], "persistent": true])
            try await runtime.startContainer("c1")
            #expect(try await runtime.run("recover").status == 0)
            #expect(runtime.log.calls("Detach").isEmpty, "the container runs")
            #expect(runtime.files(below: "lib") == ["containers/default/c1/first.json"])
        }
    }
}
