// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension DockerTests {
    /// After moby's integration-cli/docker_cli_external_volume_driver_test.go: what it checks with a driver made for the test
    /// is checked here with ours, by the calls that go back and forth.
    @Suite("Moby's own cases of a volume driver")
    struct Conformance {
        private static let recorded = DockerEngine.Settings(isRecorded: true)
        private static let export = "volume-driver=nfsd,volume-opt=server=storage.example,volume-opt=path=/export"

        @Test("Named: one Create, a Mount and an Unmount for the container, one Remove")
        func named() async throws {
            try await DockerEngine.with(Self.recorded) { engine in
                let calls = engine.recorded
                try await engine.docker(
                    "run", "--rm", "--mount", "type=volume,source=work,destination=/data,\(Self.export)", "busybox", "true")
                #expect(calls.count("Activate") == 1)
                #expect(calls.calls("Activate").first?.answer == ["Implements": ["VolumeDriver"]])
                #expect(calls.count("Create") == 1)
                #expect(calls.calls("Create").first?.body["Opts"] == ["path": "/export", "server": "storage.example"])
                #expect(calls.calls("Mount").map(\.answer["Mountpoint"]) == [.string(DockerEngine.volumesFolder + "/work")])
                #expect(calls.count("Unmount") == 1)
                #expect(calls.count("Remove") == 0, "a named volume stays")
                try await engine.removeVolumes("work")
                #expect(calls.count("Remove") == 1)
                #expect(calls.calls.allSatisfy { $0.status == 200 || $0.method == "VolumeDriver.Get" }, "\(calls.calls)")
            }
        }

        @Test("Unnamed: one Create with a name of Docker's, one Remove with the container")
        func unnamed() async throws {
            try await DockerEngine.with(Self.recorded) { engine in
                let calls = engine.recorded
                try await engine.docker("run", "--rm", "--mount", "type=volume,destination=/data,\(Self.export)", "busybox", "true")
                #expect(calls.count("Create") == 1)
                #expect(calls.calls("Create").first?.name?.wholeMatch(of: /[0-9a-f]{64}/) != nil)
                #expect(calls.count("Mount") == 1)
                #expect(calls.count("Unmount") == 1)
                #expect(calls.count("Remove") == 1)
                #expect(Set(calls.calls.compactMap(\.name)).count == 1)
            }
        }

        @Test("Volumes of another container: a Mount and an Unmount for each container, no further Create")
        func volumesFrom() async throws {
            try await DockerEngine.with(Self.recorded) { engine in
                let calls = engine.recorded
                try await engine.docker(
                    "run", "--name", "first", "--mount", "type=volume,source=work,destination=/data,\(Self.export)", "busybox", "true")
                try await engine.docker("run", "--rm", "--volumes-from", "first", "--name", "second", "busybox", "true")
                try await engine.docker("rm", "--force", "--volumes", "first")
                #expect(calls.count("Create") == 1)
                #expect(calls.count("Remove") == 0)
                #expect(calls.count("Mount") == 2)
                #expect(calls.count("Unmount") == 2)
                #expect(Set(calls.calls("Mount").map(\.id)).count == 2)
                try await engine.removeVolumes("work")
            }
        }

        @Test("Deleting a container deletes its unnamed volume once")
        func deleteContainer() async throws {
            try await DockerEngine.with(Self.recorded) { engine in
                let calls = engine.recorded
                try await engine.docker(
                    "run", "--name", "user", "--mount", "type=volume,destination=/data,\(Self.export)", "busybox", "true")
                try await engine.docker("rm", "--force", "--volumes", "user")
                #expect(calls.count("Create") == 1)
                #expect(calls.count("Remove") == 1)
                #expect(calls.count("Mount") == 1)
                #expect(calls.count("Unmount") == 1)
                #expect(try await engine.listedVolumes() == [])
            }
        }

        @Test("A driver that is dead does not keep Docker from ours")
        func deadDriver() async throws {
            try await DockerEngine.with { engine in
                // Nobody listens: what a driver that was killed leaves.
                try RecordingProxy(at: engine.pluginSocket("dead"), to: "").end(keepingFile: true)
                async let blocked = engine.runDocker(["volume", "create", "--driver", "dead", "one"])
                try await eventually("Docker tries to reach the dead driver") { engine.engineLog.contains("dead.sock") }
                try await engine.createVolume("work")
                try await engine.shell("touch /data/file", in: "work")
                try await engine.docker("volume", "rm", "work", limit: 10)
                // It is still at it, or the test says nothing.
                try await engine.killEngine()
                #expect(try await blocked.status != 0)
            }
        }

        @Test("Docker finds a driver whose socket comes late")
        func lateDriver() async throws {
            try await DockerEngine.with(DockerEngine.Settings(startsDriver: false)) { engine in
                async let created: Void = engine.createVolume("work")
                try await eventually("Docker looks for the driver") { engine.engineLog.contains("nfsd, retrying in") }
                try await engine.startDriver()
                try await created
                #expect(try await engine.listedVolumes() == ["nfsd work"])
                try await engine.shell("touch /data/file", in: "work")
                try await engine.removeVolumes("work")
            }
        }

        @Test("A volume that Docker has bound is one mount of the container, under our name")
        func bound() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("user", "work")
                let mounts = try await engine.inspect("container", "user")["Mounts"]!.arrayValue!
                #expect(mounts.count == 1)
                #expect(mounts[0]["Name"] == "work")
                #expect(mounts[0]["Driver"] == "nfsd")
                #expect(mounts[0]["Type"] == "volume")
                #expect(mounts[0]["Destination"] == "/data")
                let inside = try await engine.docker("exec", "user", "grep", " /data ", "/proc/self/mountinfo")
                #expect(inside.split(separator: "\n").count == 1 && inside.contains(" - ext4 "), "\(inside)")
                try await engine.removeContainer("user")
                try await engine.removeVolumes("work")
            }
        }

        @Test("Listing asks List, and never Path")
        func list() async throws {
            try await DockerEngine.with(Self.recorded) { engine in
                let calls = engine.recorded
                try await engine.createVolume("one")
                try await engine.createVolume("two")
                try await engine.startContainer("user", "one")
                let before = calls.calls.count
                #expect(try await engine.listedVolumes() == ["nfsd one", "nfsd two"])
                #expect(try await engine.docker("volume", "ls", "--quiet", "--filter", "name=two") == "two")
                #expect(calls.calls.dropFirst(before).allSatisfy { $0.method == "VolumeDriver.List" }, "\(calls.calls)")
                #expect(calls.count("Path") == 0)
                let volumes = calls.calls("List").last!.answer["Volumes"]!.arrayValue!
                #expect(Set(volumes.map { $0["Mountpoint"]!.stringValue! }) == [DockerEngine.volumesFolder + "/one", ""])
                try await engine.removeContainer("user")
                try await engine.removeVolumes("one", "two")
            }
        }

        @Test("Getting a volume passes its Status on; one that is unknown is no volume")
        func get() async throws {
            try await DockerEngine.with(Self.recorded) { engine in
                let calls = engine.recorded
                #expect(try await engine.failingDocker("volume", "inspect", "work").lowercased().contains("no such volume"))
                try await engine.createVolume("work")
                let shown = try await engine.inspect("volume", "work")
                let told = calls.calls("Get").last!.answer["Volume"]!
                #expect(
                    shown["Status"]!.objectValue!.members.map(\.key).sorted() == told["Status"]!.objectValue!.members.map(\.key).sorted())
                #expect(shown["Status"]!["source"] == told["Status"]!["source"])
                #expect(shown["CreatedAt"] == told["CreatedAt"])
                #expect(shown["Mountpoint"] == told["Mountpoint"])
                try await engine.removeVolumes("work")
                #expect(try await engine.failingDocker("volume", "inspect", "work").lowercased().contains("no such volume"))
            }
        }
    }
}
