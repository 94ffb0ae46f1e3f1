// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import LinuxSystem
import TestSupport
import Testing

/// `status` and `ask` as programs, above a fake runtime.
struct OperatorCommandTests {
    @Test func statusShowsAContainerFromItsCreationToItsEnd() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, _ in
            let supervisor = try await runtime.startContainer("c1")
            let source = try runtime.makeFolder("a")
            let container = try await Self.container(runtime)
            #expect(container["id"] == "c1")
            #expect(container["phase"] == "created")
            #expect(container["supervisor"]?.intValue == Int(supervisor))
            #expect(container["process"]?.intValue == Int(try runtime.below.process(of: "c1")))
            let names = ["first", "second"]
            #expect(container["plugins"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == names)
            #expect(container["plugins"]?.arrayValue?.allSatisfy { Self.isTime($0["since"]) } == true)
            #expect(Self.isTime(container["since"]))
            #expect(
                container["mounts"] == [
                    [
                        "destination": .string(source), "source": .string(source), "effectiveSource": .string(source),
                        "plugins": [
                            ["name": "first", "effectiveSource": .string(source)], ["name": "second", "effectiveSource": .string(source)],
                        ],
                    ]
                ])
            #expect(container["owed"] == [])
            _ = try await runtime.run("delete", "--force", "c1")
            #expect(try await runtime.run("status").output == "no container has plugins attached\n")
        }
    }

    @Test func statusNamesWhoIsOwedADetachAfterAKill() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, _ in
            let supervisor = try await runtime.startContainer("c1")
            kill(supervisor, SIGKILL)
            try await eventually("it has ended") { !runtime.processes.contains(supervisor) }
            let container = try await Self.container(runtime)
            #expect(container["owed"]?.arrayValue?.compactMap { $0["plugin"]?.stringValue } == ["second", "first"])
            #expect(container["supervisor"] == .null)
            let text = try await runtime.run("status", "c1").output
            #expect(text.contains("  owed      first is to detach: who was responsible has been killed;"), "\(text)")
            _ = try await runtime.run("delete", "--force", "c1")
        }
    }

    @Test func aContainerThatIsNotThereIsOneLine() async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            let result = try await runtime.run("status", "nobody")
            #expect(result.status == 1)
            #expect(result.output.hasPrefix("mountpoint-runc: no plugin takes part in a container \"nobody\""), "\(result)")
            #expect(result.output.split(separator: "\n").count == 1)
        }
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func aSignalWhileAPluginIsAskedLosesNoDetach(signal: Int32) async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            let gate = try #require(plugins["first"]).gate("Attach")
            let asking = try runtime.start("ask", "-v", "/:/y")
            try await gate.isReached()
            kill(asking.id, signal)
            gate.open()
            #expect(try await asking.end(within: .seconds(20)) == 1)
            #expect(runtime.log.calls.map { "\($0.plugin) \($0.method)" } == ["first Attach", "first Detach"])
            let ids = Set(runtime.log.calls.map(\.id))
            #expect(ids.count == 1 && ids.first?.utf8.count == 64)
            #expect(runtime.files(below: "run") == [])
        }
    }

    @Test func askFollowsTheSettingsAndHasTheExitStatusOfADenial() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            let allowed = try await runtime.run("ask", "-v", "/:/y")
            #expect(allowed.status == 0, "\(allowed)")
            plugins["first"]?.when("Attach") { _ in ["Success": false, "Err": "no"] }
            let result = try await runtime.run("ask", "--json", "-v", "/:/y")
            #expect(result.status == 1)
            let answer = try JSONValue(parsing: result.output)
            #expect(answer["denial"] == "middleware plugin:first failed with error: no" && answer["denialCode"] == "plugin-denied")
            try runtime.write(settings: [:])
            let empty = try await runtime.run("ask", "-v", "/:/y")
            #expect(empty.status == 1)
            #expect(empty.output.hasPrefix("mountpoint-runc: ask: the chain is empty"))
            #expect(empty.output.split(separator: "\n").count == 1)
        }
    }

    @Test func debugIsALineACallInTheLog() async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            let log = runtime.folder + "/log"
            let bundle = try runtime.makeBundle("c1")
            let created = try await runtime.run("--debug", "--log", log, "--log-format", "json", "create", "--bundle", bundle, "c1")
            #expect(created.status == 0, "\(created)")
            let messages = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map {
                try JSONValue(parsing: String($0))
            }
            #expect(messages.allSatisfy { $0["level"] == "debug" })
            #expect(
                messages.compactMap { $0["msg"]?.stringValue }.contains {
                    $0.hasPrefix("plugin first: MountPointPlugin.MountPointAttach for container c1: attached 1 of 1 mounts after ")
                }, "\(messages)")
            _ = try await runtime.run("delete", "--force", "c1")
        }
    }

    /// What an engine that counts failures goes by, in the file that it reads.
    @Test func theJSONLogHasTheCodeOfAFailure() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            let bundle = try runtime.makeBundle("c1")
            let first = try #require(plugins["first"])
            first.when("Attach") { _ in ["Success": false, "Err": "no"] }
            #expect(try await Self.failure(runtime, bundle) == "plugin-denied")
            first.when("Attach") { _ in ["Success": true, "Attachments": [["Attach": true, "Changes": ["ReadOnly": 1]]]] }
            #expect(try await Self.failure(runtime, bundle) == "plugin-unclear")
            first.when("Attach") { _ in ["Success": true, "Attachments": [["Attach": true, "Changes": ["EffectiveSource": "x"]]]] }
            #expect(try await Self.failure(runtime, bundle) == "plugin-invalid")
            #expect(try await Self.failure(runtime, runtime.folder) == "bad-bundle")
            let docker = "\(runtime.folder)/daemon.json"
            try "{".write(toFile: docker, atomically: true, encoding: .utf8)
            #expect(try await Self.failure(runtime, bundle) == "engine-files")
            unlink(docker)
            try runtime.write(settings: ["mount-point-plugins": ["absent"], "plugin-timeout": 1])
            #expect(try await Self.failure(runtime, bundle) == "plugin-unreachable")
            try runtime.write(settings: ["runtime-path": "/nonexistent"])
            #expect(try await Self.failure(runtime, bundle) == "delegate")
            try runtime.write(settings: ["mount-point-plugins": 7])
            #expect(try await Self.failure(runtime, bundle) == "bad-settings")
        }
    }

    /// The code of the one error that a `create` logs.
    private static func failure(_ runtime: ScratchRuntime, _ bundle: String) async throws -> String? {
        let log = runtime.folder + "/log"
        let result = try await runtime.run("--log", log, "--log-format", "json", "create", "--bundle", bundle, "c1")
        defer { unlink(log) }
        let entry = try JSONValue(parsing: try String(contentsOfFile: log, encoding: .utf8))
        #expect(result.status == 1 && entry["level"] == "error", "\(entry)")
        #expect(result.output == "mountpoint-runc: \(entry["msg"]?.stringValue ?? "")\n")
        return entry["code"]?.stringValue
    }

    private static func container(_ runtime: ScratchRuntime) async throws -> JSONValue {
        let result = try await runtime.run("status", "--json")
        guard result.status == 0 else { throw Trouble("status: \(result)") }
        let containers = try JSONValue(parsing: result.output)["containers"]?.arrayValue
        return try #require(containers?.first, "\(result)")
    }

    private static func isTime(_ value: JSONValue?) -> Bool {
        value?.stringValue?.wholeMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z/) != nil
    }
}
