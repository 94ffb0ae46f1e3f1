// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import JSON
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

/// What plugins are told, what they may change, and what happens while one is away.
@Suite(.timeLimit(.minutes(3))) struct ProtocolTests {
    /// Answers with an Attachment for each mount.
    private func attaching(_ members: JSONObject) -> FakePlugin.Handler {
        { request in
            let count = request["Mounts"]?.arrayValue?.count ?? 0
            var attachment: JSONObject = ["Attach": true]
            for member in members.members { attachment[member.key] = member.value }
            return ["Success": true, "Attachments": .array(Array(repeating: .object(attachment), count: count))]
        }
    }

    private func write(_ configuration: JSONValue, to bundle: String) throws {
        try "\(configuration)\n".write(toFile: bundle + "/config.json", atomically: true, encoding: .utf8)
    }

    private func beginLater(_ plugin: FakePlugin) {
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 0.6)
            try? plugin.begin()
        }
    }

    /// Annotations are the labels of engines that are not Docker.
    @Test func aContainerWithoutMountsIsShownOnlyIfALabelSpeaksToAPlugin() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            let plugin = try #require(plugins["first"])
            plugin.set(["Types": ["container"]])
            plugin.when("Attach") { _ in ["Success": false, "Err": "no such mount"] }
            plugin.end()
            try plugin.begin()
            let sandbox: JSONValue = ["mountpoint.first": "/x", "io.kubernetes.cri.container-type": "sandbox"]
            for (id, annotations) in [("c1", ["other": "x"]), ("c2", ["mountpoint.first": "/x"]), ("c3", sandbox)] as [(String, JSONValue)]
            {
                let bundle = try runtime.makeBundle(id, mounts: [])
                var configuration = try #require(
                    try JSONValue(parsing: readWholeFile(FilePath(bundle + "/config.json"), limit: 1 << 20)).objectValue)
                configuration["annotations"] = annotations
                try write(.object(configuration), to: bundle)
                let result = try await runtime.run("create", "--bundle", bundle, id)
                #expect((result.status == 0) == (id != "c2"), "\(result)")
                #expect(result.output.contains("no such mount") == (id == "c2"), "\(result)")
            }
            #expect(runtime.log.lines == ["first Attach c2"])
            for id in ["c1", "c3"] { _ = try await runtime.run("delete", "--force", id) }
        }
    }

    @Test func aPluginThatIsRestartedWhileAContainerStartsIsWaitedFor() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            let plugin = try #require(plugins["first"])
            plugin.end()
            beginLater(plugin)
            try await runtime.startContainer("c1")
            #expect(runtime.log.lines == ["first Attach c1"])
        }
    }

    @Test func aPluginThatIsRestartedWhileAContainerEndsIsAskedToDetach() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            let supervisor = try await runtime.startContainer("c1")
            let plugin = try #require(plugins["second"])
            plugin.end()
            try runtime.below.end("c1", with: 3)
            beginLater(plugin)
            try await eventually("the supervisor ends") { !runtime.processes.contains(supervisor) }
            #expect(runtime.log.lines.suffix(2) == ["second Detach c1", "first Detach c1"])
        }
    }

    /// Its emergency actions stand in for it, the others are asked, and it stays on record.
    @Test func aPluginThatStaysAwayIsOwedItsDetach() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            try runtime.write(settings: ["mount-point-plugins": ["first", "second"], "plugin-timeout": 1])
            let plugin = try #require(plugins["second"])
            plugin.when("Attach", attaching(["EmergencyDetach": [[:]]]))
            let supervisor = try await runtime.startContainer("c1")
            plugin.end()
            try runtime.below.end("c1", with: 0)
            try await eventually("the supervisor ends") { !runtime.processes.contains(supervisor) }
            #expect(runtime.log.lines.last == "first Detach c1")
            #expect(runtime.files(below: "run/owed") == ["default/c1/second.json"])
        }
    }

    @Test func aDetachSaysHowTheContainerEnded() async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            let supervisor = try await runtime.startContainer("c1")
            try runtime.below.end("c1", with: 3)
            try await eventually("the supervisor ends") { !runtime.processes.contains(supervisor) }
            let request = try #require(runtime.log.calls("Detach").first?.request)
            let folder = JSONValue.string("\(runtime.folder)/data/a")
            #expect(
                request == [
                    "ID": "c1", "ExitStatus": 3, "Reason": "ended", "Mounts": [["Destination": folder, "EffectiveSource": folder]],
                ])
        }
    }

    @Test func aMountGetsTheOptionsThatAPluginGivesIt() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            try #require(plugins["first"]).when(
                "Attach", attaching(["Changes": ["ReadOnly": true, "Options": ["nosuid"], "Propagation": "rslave"]]))
            try await runtime.startContainer("c1")
            let options = try runtime.below.configuration(of: "c1")["mounts"]?.arrayValue?.first?["options"]?.arrayValue
            let words = Set((options ?? []).compactMap(\.stringValue))
            #expect(words.isSuperset(of: ["rbind", "ro", "nosuid", "rslave"]) && !words.contains("rw"), "\(words)")
            let seen = try #require(runtime.log.calls("Attach", of: "second").first?.request["Mounts"]?.arrayValue?.first)
            #expect(seen["ReadOnly"] == true && seen["Propagation"] == "rslave")
            #expect(
                seen["AppliedMiddleware"]
                    == [["Name": "plugin:first", "Changes": ["ReadOnly": true, "Options": ["nosuid"], "Propagation": "rslave"]]])
        }
    }

    @Test func pluginsAreToldWhomTheMountIsFor() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            try #require(plugins["first"]).set(["Types": ["tmpfs"]])
            let bundle = try runtime.makeBundle("c1")
            var configuration = try JSONValue(parsing: String(contentsOfFile: bundle + "/config.json", encoding: .utf8))
            guard case .object(var members) = configuration, var mounts = members["mounts"]?.arrayValue else { throw Trouble("no mounts") }
            mounts.append(["destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nodev", "size=1m"]])
            members["mounts"] = .array(mounts)
            members["process"] = ["user": ["uid": 5, "gid": 6, "additionalGids": [7]], "args": ["sh"], "cwd": "/"]
            members["linux"] = ["cgroupsPath": "/x/c1", "namespaces": [["type": "pid"]]]
            configuration = .object(members)
            try write(configuration, to: bundle)
            let created = try await runtime.run("create", "--bundle", bundle, "c1")
            #expect(created.status == 0, "\(created)")
            let seen = try #require(runtime.log.calls("Attach").first?.request["Mounts"]?.arrayValue)
            let container: JSONValue = [
                "User": ["UID": 5, "GID": 6, "AdditionalGIDs": [7]], "Cgroup": "/x/c1", "Root": .string(bundle + "/rootfs"),
            ]
            #expect(seen.map { $0["Container"] } == [container, container])
            // In the order of their destinations.
            #expect(seen.map { $0["Type"] } == ["tmpfs", "bind"] && seen[0]["Mode"] == "nodev,size=1m" && seen[0]["EffectiveSource"] == "")
            #expect(seen[1]["Image"] == [:] && seen[1]["Volume"] == [:] && seen[1]["EffectiveConsistency"] == "default")
        }
    }

    /// Docker has made the source that the user named; where a plugin has put it, nobody has been.
    @Test func aSourceIsMadeWhereAPluginHasMovedIt() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            let source = try runtime.makeFolder("a")
            // The fake container has the host's files, so that the mount is where its new source is.
            let moved = "\(runtime.folder)/data/made/below"
            let bundle = try runtime.makeBundle("c1")
            try write(
                [
                    "ociVersion": "1.0.2", "root": ["path": "rootfs"], "linux": ["namespaces": [["type": "pid"]]],
                    "mounts": [["destination": .string(moved), "type": "bind", "source": .string(source), "options": ["rbind"]]],
                ], to: bundle)
            try runtime.write(
                settings: [
                    "mount-point-plugins": ["first"], "plugin-timeout": 5, "docker-data-root": .string("\(runtime.folder)/docker"),
                ])
            let record: JSONValue = [
                "ID": "c1", "Name": "/box", "Config": ["Image": "alpine", "Labels": ["l": "1"]],
                "MountPoints": [
                    "m": ["Source": .string(source), "Destination": .string(moved), "RW": true, "Type": "bind", "Propagation": "rprivate"]
                ],
            ]
            let folder = "\(runtime.folder)/docker/containers/c1"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try "\(record)".write(toFile: folder + "/config.v2.json", atomically: true, encoding: .utf8)
            try #require(plugins["first"]).when("Attach", attaching(["Changes": ["EffectiveSource": .string(moved)]]))
            let created = try await runtime.run("create", "--bundle", bundle, "c1")
            #expect(created.status == 0, "\(created)")
            var status = stat()
            #expect(stat(moved, &status) == 0 && status.st_mode & 0o7777 == 0o755 && status.st_uid == geteuid())
            let seen = try #require(runtime.log.calls("Attach").first?.request["Mounts"]?.arrayValue?.first)
            #expect(seen["CreateSourceIfMissing"] == true && seen["Container"]?["Name"] == "box" && seen["Image"]?["Name"] == "alpine")
            #expect(try runtime.below.configuration(of: "c1")["mounts"]?.arrayValue?.first?["source"] != .string(source))
        }
    }

    @Test func aPluginsWordsCannotMoveTheCursor() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            try #require(plugins["first"]).when("Attach") { _ in ["Success": false, "Err": "no\nway\u{1b}[2J\u{9b}1m"] }
            let result = try await runtime.run("create", "--bundle", runtime.makeBundle("c1"), "c1")
            #expect(result.status == 1)
            #expect(result.output.contains("middleware plugin:first failed with error: no; way?[2J?1m\n"), "\(result)")
        }
    }

    @Test func doctorNamesAMisspeltPattern() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            try #require(plugins["first"]).set(["Patterns": [["Soruce": [["Prefix": "/srv"]]]]])
            let result = try await runtime.run("doctor")
            #expect(
                result.output.contains(
                    "[warning] plugin first: its properties have Patterns[0].Soruce, which is not known here; this pattern then asks for every mount"
                ),
                "\(result)")
        }
    }

    /// Whoever only asks how things are does not wait for a plugin that is away.
    @Test func doctorDoesNotWait() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            var begin = ContinuousClock.now
            _ = try await runtime.run("doctor", within: .seconds(100))
            let usual = begin.duration(to: .now)
            try #require(plugins["first"]).end()
            begin = .now
            let result = try await runtime.run("doctor", within: .seconds(100))
            #expect(result.output.contains("[failed] plugin first was not found"), "\(result)")
            // Patience is 15 s, and a busy machine takes its time for both.
            #expect(begin.duration(to: .now) < usual * 4 + .seconds(10))
        }
    }
}
