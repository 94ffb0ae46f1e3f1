// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension DockerTests {
    @Suite("The life of a volume")
    struct VolumeLife {
        @Test("Created, written in one container, read in another, removed; the data stay on the server")
        func life() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                #expect(try await engine.listedVolumes() == ["nfsd work"])
                #expect(try engine.mountedVolumes() == [], "nothing is mounted before somebody needs it")

                try await engine.shell("echo kept > /data/file", in: "work")
                try await engine.expectNoMounts()
                #expect(try await engine.shell("cat /data/file", in: "work") == "kept")
                try await engine.removeVolumes("work")

                try await engine.createVolume("again")
                #expect(try await engine.shell("cat /data/file", in: "again") == "kept")
                try await engine.removeVolumes("again")
            }
        }

        @Test("Inspecting tells what was asked for, what the kernel does, and who holds the volume")
        func status() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work", "o=noexec", "nfsvers=4.2")
                var volume = try await engine.inspect("volume", "work")
                #expect(volume["Driver"] == "nfsd")
                #expect(volume["Scope"] == "local")
                #expect(volume["Mountpoint"] == "")
                #expect(volume["CreatedAt"]!.stringValue!.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
                #expect(volume["Status"]!["state"] == "not mounted")
                #expect(volume["Status"]!["source"] == "storage.example:/export")
                let requested: JSONValue = ["nfsvers": "4.2", "o": "noexec", "path": "/export", "server": "storage.example"]
                #expect(sorted(volume["Status"]!["requested"]!) == requested)
                #expect(volume["Status"]!["effective"] == "")
                #expect(volume["Status"]!["references"] == 0)
                #expect(volume["Status"]!["heldBy"] == [])

                try await engine.startContainer("holder", "work")
                try await eventually("the container's name is known") {
                    try await engine.status(of: "work")["heldBy"]!.arrayValue!.first?["container"] == "holder"
                }
                volume = try await engine.inspect("volume", "work")
                #expect(volume["Mountpoint"] == .string(DockerEngine.volumesFolder + "/work"))
                let status = volume["Status"]!
                #expect(status["state"] == "mounted")
                #expect(status["fileSystem"] == "ext4")
                #expect(status["references"] == 1)
                let effective = status["effective"]!.stringValue!.split(separator: ",")
                #expect(effective.contains("noexec") && effective.contains("rw"), "\(effective)")
                let holder = status["heldBy"]!.arrayValue!
                #expect(holder.count == 1)
                #expect(holder[0]["count"] == 1)
                #expect(holder[0]["id"]!.stringValue!.count == 64)

                try await engine.removeContainer("holder")
                #expect(try await engine.status(of: "work")["heldBy"] == [])
                try await engine.removeVolumes("work")
            }
        }

        /// The order of members is Docker's, which sorts some and not others.
        private func sorted(_ value: JSONValue) -> JSONValue {
            var result = JSONObject()
            for member in value.objectValue!.members.sorted(by: { $0.key < $1.key }) { result[member.key] = member.value }
            return .object(result)
        }

        @Test("The program's own words about a volume agree with Docker's")
        func commands() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("holder", "work")
                let status = try await engine.driverCommand("status", "--json")
                let document = try JSONValue(parsing: Array(status.output.utf8))
                let volume = document["volumes"]!.arrayValue![0]
                #expect(volume["name"] == "work" && volume["driver"] == "nfsd" && volume["state"] == "mounted", "\(status)")
                #expect(volume["heldBy"]!.arrayValue![0]["container"] == "holder")
                #expect(document["listening"]!.objectValue!.members.map(\.value) == [true, true])
                #expect(try await engine.driverCommand("status").output.contains("held by    container holder"))

                let doctor = try await engine.driverCommand("doctor", "storage.example:/export")
                #expect(doctor.output.contains(/\[ok\] Docker: dockerd \(process \d+\) sees what is mounted here/), "\(doctor)")
                #expect(doctor.output.contains("[ok] trial mount: mounted and unmounted again"), "\(doctor)")
                #expect(doctor.status == 0)
                try await engine.removeContainer("holder")
                try await engine.removeVolumes("work")
            }
        }

        @Test("Under both driver names a volume is listed once, where it was created")
        func driverNames() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("one", driver: "nfsd")
                try await engine.createVolume("two", driver: "docker-nfsd")
                #expect(try await engine.listedVolumes() == ["docker-nfsd two", "nfsd one"])
                #expect(try await engine.inspect("volume", "one")["Driver"] == "nfsd")
                #expect(try await engine.inspect("volume", "two")["Driver"] == "docker-nfsd")
                // Docker would show a volume that both list once, under one of them.
                for (driver, volume) in [("nfsd", "one"), ("docker-nfsd", "two")] {
                    let volumes = try await engine.callDriver("VolumeDriver.List", [:], driver: driver)["Volumes"]!.arrayValue!
                    #expect(volumes.map { $0["Name"] } == [.string(volume)])
                }
                try await engine.shell("echo shared > /data/file", in: "one")
                #expect(try await engine.shell("cat /data/file", in: "two") == "shared", "the same export")

                let refusal = try await engine.failingDocker(
                    ["volume", "create", "--driver", "docker-nfsd"] + DockerEngine.options() + ["one"])
                #expect(refusal.contains("volume name must be unique") && refusal.contains("nfsd"), "Docker's own word: \(refusal)")
                try await engine.restartEngine()
                #expect(try await engine.listedVolumes() == ["docker-nfsd two", "nfsd one"], "also once dockerd has asked both anew")
                try await engine.removeVolumes("one", "two")
            }
        }

        @Test("Volumes of one export share its superblock, and are mounted and unmounted each for itself")
        func sharedExport() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("whole")
                try await engine.createVolume("part", "subdir=team/part", "create=true", "mode=0750", "uid=1000")
                try await engine.createVolume("other", "subdir=team/other", "create=true")
                try await engine.startContainer("user", "part", "other")
                #expect(try engine.mountedVolumes() == ["other", "part"])
                #expect(try await engine.docker("exec", "user", "stat", "-c", "%a %u", "/data") == "750 1000")
                #expect(try await engine.docker("exec", "user", "ls", "/data1") == "", "each has its own directory")
                try await engine.docker("exec", "user", "sh", "-c", "echo part > /data/file")

                #expect(try await engine.shell("cat /data/team/part/file; find /data -name file | wc -l", in: "whole") == "part\n1")
                #expect(try engine.mountedVolumes() == ["other", "part"], "the container keeps its own")
                #expect(try await engine.docker("exec", "user", "cat", "/data/file") == "part")
                try await engine.removeContainer("user")
                try await engine.removeVolumes("whole", "part", "other")
            }
        }

        @Test("Eight volumes are created, used and removed at the same time")
        func manyAtOnce() async throws {
            try await DockerEngine.with { engine in
                try await withThrowingTaskGroup { group in
                    for number in 1...8 {
                        group.addTask {
                            let name = "volume\(number)"
                            try await engine.createVolume(
                                name, driver: DockerEngine.driverNames[number % 2], "subdir=\(name)", "create=true")
                            try await engine.shell("echo \(number) > /data/file", in: name)
                            try await engine.startContainer("c\(number)", name)
                        }
                    }
                    try await group.waitForAll()
                }
                let mounted = try engine.mountedVolumes()
                #expect(mounted == (1...8).map { "volume\($0)" })
                try await withThrowingTaskGroup { group in
                    for number in 1...8 {
                        group.addTask {
                            #expect(try await engine.docker("exec", "c\(number)", "cat", "/data/file") == String(number))
                            try await engine.removeContainer("c\(number)")
                            try await engine.docker("volume", "rm", "volume\(number)")
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await engine.listedVolumes() == [])
                try await engine.expectNoMounts()
            }
        }
    }
}
