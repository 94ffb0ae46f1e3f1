// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

/// A container's whole life, above a fake runtime.
struct LifeTests {
    @Test func pluginsAreAskedInOrderAndDetachInReverse() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, _ in
            try await runtime.startContainer("c1")
            #expect(runtime.log.lines == ["first Attach c1", "second Attach c1"])
            let deleted = try await runtime.run("delete", "--force", "c1")
            #expect(deleted.status == 0, "\(deleted)")
            #expect(runtime.log.lines.suffix(2) == ["second Detach c1", "first Detach c1"])
            #expect(runtime.below.calls == ["create c1", "start c1", "delete --force c1"])
            #expect(runtime.files(below: "run") == [])
        }
    }

    @Test func theSupervisorEndsAfterThePluginsHaveDetached() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            let supervisor = try await runtime.startContainer("c1")
            let gate = try #require(plugins["first"]).gate("Detach")
            try runtime.below.end("c1", with: 0)
            try await gate.isReached()
            #expect(kill(supervisor, 0) == 0, "the engine waits for this process")
            #expect(try await runtime.run("kill", "c1", "TERM").status == 0)
            #expect(!runtime.below.calls.contains("kill c1 TERM"), "nobody is left who could take it")
            gate.open()
            try await eventually("the supervisor ends") { !runtime.processes.contains(supervisor) }
            #expect(try await runtime.run("delete", "c1").status == 0)
            #expect(runtime.files(below: "run") == [])
        }
    }

    @Test func aSecondCreationOfTheSameIdDoesNotWaitForTheFirstOnesEnd() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            let bundle = try runtime.makeBundle("c1")
            let gate = try #require(plugins["first"]).gate("Attach")
            async let created = runtime.run("create", "--bundle", bundle, "c1")
            try await gate.isReached()
            async let second = runtime.run("create", "--bundle", bundle, "c1")
            gate.open()
            #expect(try await created.status == 0)
            let result = try await second
            #expect(result.status == 1 && result.output.contains("container c1 is there already"), "\(result)")
            #expect(runtime.log.lines == ["first Attach c1"])
            #expect(try await runtime.run("delete", "--force", "c1").status == 0)
            #expect(runtime.log.lines == ["first Attach c1", "first Detach c1"])
        }
    }

    @Test func aCreationThatFailsBelowIsUndone() async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            try runtime.below.fail("create", "no room")
            let result = try await runtime.run("create", "--bundle", runtime.makeBundle("c1"), "c1")
            #expect(result.status == 1 && result.output.contains("no room"), "\(result)")
            #expect(runtime.log.lines == ["first Attach c1", "first Detach c1"])
            #expect(runtime.files(below: "run") == [])
        }
    }

    @Test func whatAKilledSupervisorHasLeftIsUndoneByDelete() async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            let supervisor = try await runtime.startContainer("c1")
            let process = try runtime.below.process(of: "c1")
            kill(supervisor, SIGKILL)
            try await eventually("it has ended") { !runtime.processes.contains(supervisor) }
            #expect(try await runtime.run("delete", "--force", "c1").status == 0)
            #expect(runtime.log.lines == ["first Attach c1", "first Detach c1"])
            #expect(!runtime.processes.contains(process))
            #expect(runtime.files(below: "run") == [])
        }
    }

    @Test func wrongSettingsKeepNoContainerFromEnding() async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            try await runtime.startContainer("c1")
            try runtime.write(settings: ["no-such-key": true])
            let refused = try await runtime.run("create", "--bundle", runtime.makeBundle("c2"), "c2")
            #expect(refused.status == 1 && refused.output.contains("no-such-key"), "\(refused)")
            #expect(try await runtime.run("kill", "c1", "KILL").status == 0)
            #expect(try await runtime.run("delete", "--force", "c1").status == 0)
            #expect(runtime.log.lines == ["first Attach c1", "first Detach c1"])
            #expect(runtime.files(below: "run") == [])
        }
    }

    /// Docker's record of the container, its database of volumes, or all of its files are gone.
    @Test(arguments: ["docker/containers", "docker/volumes", "docker"])
    func whatDockerHasLostKeepsNoContainerFromEnding(lost: String) async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            let source = try runtime.makeFolder("a")
            let data = "\(runtime.folder)/docker"
            try runtime.write(
                settings: ["mount-point-plugins": ["first"], "plugin-timeout": 5, "docker-data-root": .string(data)])
            let record: JSONValue = [
                "ID": "c1", "Name": "/box", "Config": ["Image": "alpine"],
                "MountPoints": [
                    "m": [
                        "Source": .string(source), "Destination": .string(source), "RW": true, "Type": "volume", "Name": "unknown",
                        "Driver": "local",
                    ]
                ],
            ]
            for folder in ["containers/c1", "volumes"] {
                try FileManager.default.createDirectory(atPath: "\(data)/\(folder)", withIntermediateDirectories: true)
            }
            try "\(record)".write(toFile: data + "/containers/c1/config.v2.json", atomically: true, encoding: .utf8)
            try FileManager.default.copyItem(
                atPath: Repository.root + "/Tests/Fixtures/docker-20.10/metadata.db", toPath: data + "/volumes/metadata.db")
            try await runtime.startContainer("c1")
            #expect(runtime.log.calls("Attach").first?.request["Mounts"]?.arrayValue?.first?["Type"] == "volume")
            try FileManager.default.removeItem(atPath: "\(runtime.folder)/\(lost)")
            #expect(try await runtime.run("kill", "c1", "KILL").status == 0)
            #expect(try await runtime.run("delete", "--force", "c1").status == 0)
            #expect(runtime.log.lines == ["first Attach c1", "first Detach c1"])
            #expect(runtime.files(below: "run") == [])
        }
    }

    @Test func aDamagedRecordOfPluginsIsReportedAndNobodyIsAsked() async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            let supervisor = try await runtime.startContainer("c1")
            kill(supervisor, SIGKILL)
            try await eventually("it has ended") { !runtime.processes.contains(supervisor) }
            let file = "\(runtime.folder)/run/containers/default/c1/stack.json"
            try "{\"half".write(toFile: file, atomically: false, encoding: .utf8)
            let doctor = try await runtime.run("doctor")
            #expect(doctor.output.contains("[failed] container c1: ") && doctor.output.contains(file), "\(doctor)")
            let log = "\(runtime.folder)/log.json"
            _ = try await runtime.run("--log", log, "--log-format", "json", "delete", "--force", "c1")
            // By the process in the background that undoes.
            try await eventually("the log names the file") { (try? String(contentsOfFile: log, encoding: .utf8))?.contains(file) == true }
            #expect(!runtime.below.knows("c1"))
            try await eventually("all has ended") { runtime.processes.isEmpty }
            #expect(runtime.log.lines == ["first Attach c1"], "no plugin is called")
        }
    }

    @Test func anotherCommandIsHandedOver() async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            _ = try await runtime.run("state", "c1")
            #expect(runtime.below.calls == ["state c1"])
        }
    }
}
