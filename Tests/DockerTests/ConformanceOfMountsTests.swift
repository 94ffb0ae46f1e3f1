// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension DockerTests.Conformance {
    @Test("After dockerd's restart the container has its volume; dockerd introduces itself once more and asks what it must")
    func restart() async throws {
        try await DockerEngine.with(DockerEngine.Settings(isRecorded: true)) { engine in
            let calls = engine.recorded
            try await engine.createVolume("work")
            try await engine.restartEngine()
            #expect(try await engine.listedVolumes() == ["nfsd work"])
            #expect(calls.count("Activate") == 2)
            #expect(calls.count("Create") == 1, "the volume is found, not made")
            try await engine.docker("run", "--name", "user", "--volume", "work:/data", "busybox", "true")
            let mounts = try await engine.inspect("container", "user")["Mounts"]!.arrayValue!
            #expect(mounts.count == 1 && mounts[0]["Driver"] == "nfsd", "\(mounts)")
            try await engine.restartEngine()
            try await engine.docker("start", "--attach", "user")
            try await engine.removeContainer("user")
            try await engine.removeVolumes("work")
        }
    }

    @Test("An Unmount has the ID of its Mount; another container has another")
    func mountID() async throws {
        try await DockerEngine.with(DockerEngine.Settings(isRecorded: true)) { engine in
            let calls = engine.recorded
            try await engine.createVolume("work")
            try await engine.docker("run", "--name", "first", "--volume", "work:/data", "busybox", "true")
            try await engine.docker("start", "--attach", "first")
            try await engine.shell("true", in: "work")
            try await engine.removeContainer("first")
            let ids = calls.calls("Mount").map(\.id)
            #expect(ids.count == 3)
            #expect(Set(ids) == Set(calls.calls("Unmount").map(\.id)))
            #expect(calls.count("Unmount") == 3)
            #expect(ids.allSatisfy { $0?.wholeMatch(of: /[0-9a-f]{64}/) != nil }, "\(ids)")
            #expect(ids[2] != ids[0])
            try await engine.removeVolumes("work")
        }
    }

    @Test("Capabilities are asked for once in the life of a dockerd")
    func capabilities() async throws {
        try await DockerEngine.with(DockerEngine.Settings(isRecorded: true)) { engine in
            let calls = engine.recorded
            for name in ["one", "two", "three"] { try await engine.createVolume(name) }
            #expect(calls.count("Capabilities") == 1)
            #expect(calls.calls("Capabilities").first?.answer == ["Capabilities": ["Scope": "local"]])
            #expect(try await engine.inspect("volume", "one")["Scope"] == "local")
            try await engine.stopDriver()
            try await engine.startDriver()
            try await engine.createVolume("four")
            #expect(calls.count("Capabilities") == 1, "nor does it notice that the driver was away")
            #expect(calls.count("Activate") == 1)
            try await engine.removeVolumes("one", "two", "three", "four")
        }
    }

    @Test("A volume that somebody else removed can be created again, with other options")
    func outOfBand() async throws {
        try await DockerEngine.with { engine in
            try await engine.createVolume("work", "subdir=old", "create=true")
            #expect(try await engine.callDriver("VolumeDriver.Remove", ["Name": "work"])["Err"] == "")
            #expect(try await engine.listedVolumes() == [])
            #expect(try await engine.failingDocker("volume", "inspect", "work").lowercased().contains("no such volume"))
            try await engine.createVolume("work", "subdir=new", "create=true")
            #expect(try await engine.status(of: "work")["source"] == "storage.example:/export/new")
            try await engine.shell("touch /data/file", in: "work")

            #expect(try await engine.callDriver("VolumeDriver.Remove", ["Name": "work"])["Err"] == "")
            try await engine.createVolume("work", driver: "docker-nfsd")
            #expect(try await engine.listedVolumes() == ["docker-nfsd work"], "under the other driver name, too")
            try await engine.removeVolumes("work")
        }
    }

    @Test("A volume that another engine created is there for this one")
    func createdElsewhere() async throws {
        try await DockerEngine.with { engine in
            let body: JSONValue = ["Name": "work", "Opts": ["server": "storage.example", "path": "/export"]]
            #expect(try await engine.callDriver("VolumeDriver.Create", body)["Err"] == "")
            #expect(try await engine.listedVolumes() == ["nfsd work"])
            try await engine.docker("run", "--rm", "--volume-driver", "nfsd", "--volume", "work:/data", "busybox", "touch", "/data/file")
            #expect(try await engine.listedVolumes() == ["nfsd work"])
            try await engine.removeVolumes("work")
        }
    }

    @Test("No Unmount follows a Mount that failed")
    func failedMount() async throws {
        try await DockerEngine.with(DockerEngine.Settings(isRecorded: true)) { engine in
            let calls = engine.recorded
            try await engine.createVolume("work", "subdir=not/there")
            _ = try await engine.failingDocker("run", "--name", "user", "--volume", "work:/data", "busybox", "true")
            try await engine.docker("rm", "user")
            #expect(calls.count("Mount") == 1)
            #expect(calls.calls("Mount").first?.status == 500)
            #expect(calls.count("Unmount") == 0)
            try await engine.expectNoMounts()
            try await engine.removeVolumes("work")
        }
    }

    @Test("docker cp from a running container: two Mounts, first one Unmount and in the end two, all with one ID")
    func copy() async throws {
        try await DockerEngine.with(DockerEngine.Settings(isRecorded: true)) { engine in
            let calls = engine.recorded
            try await engine.createVolume("work")
            try await engine.startContainer("user", "work")
            #expect(calls.count("Mount") == 1)
            try await engine.docker("cp", "user:/data", engine.host.scratch + "/copy")
            try await eventually("the first Unmount comes") { calls.count("Unmount") == 1 }
            #expect(calls.count("Mount") == 2)
            #expect(try engine.mountedVolumes() == ["work"])
            try await engine.docker("kill", "user")
            try await eventually("the second Unmount comes") { calls.count("Unmount") == 2 }
            #expect(Set((calls.calls("Mount") + calls.calls("Unmount")).map(\.id)).count == 1)
            try await engine.removeContainer("user")
            try await engine.removeVolumes("work")
        }
    }
}
