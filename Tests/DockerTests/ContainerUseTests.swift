// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import TestSupport
import Testing

extension DockerTests {
    @Suite("What containers do with a volume")
    struct ContainerUse {
        @Test("Many containers share one kernel mount, which ends with the last of them")
        func manyContainers() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                let names = (1...5).map { "user\($0)" }
                try await withThrowingTaskGroup { group in
                    for name in names { group.addTask { try await engine.startContainer(name, "work") } }
                    try await group.waitForAll()
                }
                var mounted = try engine.mountedVolumes()
                #expect(mounted == ["work"], "once, however many use it")
                #expect(try await engine.status(of: "work")["references"] == 5)
                for name in names.dropLast() {
                    try await engine.removeContainer(name)
                    mounted = try engine.mountedVolumes()
                    #expect(mounted == ["work"])
                }
                try await engine.docker("exec", "user5", "touch", "/data/still-there")
                try await engine.removeContainer("user5")
                try await engine.expectNoMounts()
                try await engine.removeVolumes("work")
            }
        }

        @Test("A container that is stopped and started again has its volume each time, and none in between")
        func stopAndStart() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("user", "work")
                try await engine.docker("exec", "user", "sh", "-c", "echo first > /data/file")
                try await engine.docker("stop", "user")
                try await engine.expectNoMounts()
                try await engine.docker("start", "user")
                #expect(try await engine.docker("exec", "user", "cat", "/data/file") == "first")
                try await engine.docker("restart", "user")
                #expect(try await engine.docker("exec", "user", "cat", "/data/file") == "first")
                #expect(try await engine.status(of: "work")["references"] == 1)
                try await engine.docker("pause", "user")
                try await engine.docker("unpause", "user")
                try await engine.removeContainer("user")
                try await engine.removeVolumes("work")
            }
        }

        @Test("Mode and owner of a created directory hold although Docker gives the volume those of the image's empty folder")
        func emptyFolderOfTheImage() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work", "subdir=work", "create=true", "mode=02770", "uid=1000", "gid=1000")
                try await engine.createVolume("plain", "subdir=plain", "create=true")
                for _ in 0..<2 {
                    let seen = try await engine.docker(
                        "run", "--rm", "--volume", "work:/tmp", "--volume", "plain:/seed", "busybox", "stat", "-c", "%a %u %g", "/tmp")
                    #expect(seen == "2770 1000 1000")
                }
                // What is copied is there.
                #expect(try await engine.shell("ls /data", in: "plain") == "first")
                try await engine.removeVolumes("work", "plain")
            }
        }

        @Test("docker cp from a running container mounts once more and lets go again; the container keeps its volume")
        func copy() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("user", "work")
                try await engine.docker("exec", "user", "sh", "-c", "echo copied > /data/file")
                let copy = engine.host.scratch + "/copy"
                for direction in [["user:/data/file", copy], [copy, "user:/data/back"]] {
                    try await engine.docker(["cp"] + direction)
                    // Docker answers before it lets go.
                    try await eventually("it is let go") { try await engine.status(of: "work")["references"] == 1 }
                    let mounted = try engine.mountedVolumes()
                    #expect(mounted == ["work"])
                }
                #expect(try String(contentsOfFile: copy, encoding: .utf8) == "copied\n")
                #expect(try await engine.docker("exec", "user", "cat", "/data/back") == "copied")

                try await engine.docker("stop", "user")
                try await engine.expectNoMounts()
                try await engine.docker("cp", "user:/data/back", copy + "2")
                #expect(try String(contentsOfFile: copy + "2", encoding: .utf8) == "copied\n", "from a stopped container too")
                try await engine.expectNoMounts()
                try await engine.removeContainer("user")
                try await engine.removeVolumes("work")
            }
        }

        @Test("What an image has at the place is copied into an empty volume, unless it is mounted with nocopy")
        func copyUp() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("filled", "subdir=filled", "create=true")
                try await engine.createVolume("bare", "subdir=bare", "create=true")
                func list(_ volume: String) async throws -> String {
                    try await engine.docker("run", "--rm", "--volume", volume, "busybox", "sh", "-c", "cat \(Image.seedFolder)/*; true")
                }
                #expect(
                    try await list("bare:\(Image.seedFolder):nocopy")
                        == "cat: can't open '\(Image.seedFolder)/*': No such file or directory")
                #expect(try await list("filled:\(Image.seedFolder)") == Image.seedText)
                #expect(try await engine.shell("ls /data", in: "filled") == Image.seedFile, "the copy is on the server")
                try await engine.shell("echo mine > /data/\(Image.seedFile)", in: "filled")
                #expect(try await list("filled:\(Image.seedFolder)") == "mine", "a volume that has files is not filled again")
                #expect(try await engine.shell("ls /data", in: "bare") == "")
                try await engine.expectNoMounts()
                try await engine.removeVolumes("filled", "bare")
            }
        }

        @Test("A container's read-only use of a volume leaves others' use of it alone; a volume with o=ro is so for all")
        func readOnly() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.createVolume("fixed", "o=ro")
                try await engine.startContainer("writer", "work")
                try await engine.docker("exec", "writer", "sh", "-c", "echo 1 > /data/file")
                #expect(
                    try await engine.shell("cat /data/file; echo 2 > /data/file; true", in: "work:ro").contains("Read-only file system"))
                try await engine.docker("exec", "writer", "sh", "-c", "echo 3 > /data/file")
                try await engine.removeContainer("writer")
                try await engine.expectNoMounts()
                // Only now: ext4, unlike NFS, cannot be mounted for both at once.
                let words = try await engine.shell("exec 2>&1; cat /data/file; echo 4 > /data/file; cat /data/file", in: "fixed")
                #expect(words == "3\nsh: can't create /data/file: Read-only file system\n3")
                try await engine.removeVolumes("work", "fixed")
            }
        }

        @Test("A volume in use cannot be removed, neither by Docker nor behind its back")
        func inUse() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("user", "work")
                #expect(try await engine.failingDocker("volume", "rm", "work").contains("volume is in use"))
                #expect(try await engine.failingDocker("volume", "rm", "--force", "work").contains("volume is in use"))
                try await eventually("the container's name is known") {
                    try await engine.status(of: "work")["heldBy"]!.description.contains("user")
                }
                let refusal = try await engine.callDriver("VolumeDriver.Remove", ["Name": "work"])
                #expect(refusal["Err"] == "volume work is in use by container user; stop what uses it first")
                try await engine.docker("exec", "user", "touch", "/data/still-there")

                try await engine.docker("stop", "user")
                #expect(
                    try await engine.failingDocker("volume", "rm", "work").contains("volume is in use"),
                    "a stopped container counts for Docker")
                try await engine.removeContainer("user")
                try await engine.removeVolumes("work")
            }
        }

        @Test("Volumes of another container")
        func volumesFrom() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("owner", "work")
                try await engine.docker("exec", "owner", "sh", "-c", "echo shared > /data/file")
                #expect(try await engine.docker("run", "--rm", "--volumes-from", "owner", "busybox", "cat", "/data/file") == "shared")
                #expect(
                    try await engine.docker("run", "--rm", "--volumes-from", "owner:ro", "busybox", "sh", "-c", "echo 1 > /data/file; true")
                        .contains("Read-only"))
                #expect(try await engine.status(of: "work")["references"] == 1)
                try await engine.docker("exec", "owner", "cat", "/data/file")

                // The owner need not run.
                try await engine.docker("stop", "owner")
                #expect(
                    try await engine.docker("run", "--name", "heir", "--volumes-from", "owner", "busybox", "cat", "/data/file") == "shared")
                try await engine.removeContainer("owner")
                #expect(try await engine.docker("start", "--attach", "heir") == "shared")
                try await engine.removeContainer("heir")
                try await engine.removeVolumes("work")
            }
        }

        @Test("A volume that comes without a name is Docker's to remove with its container; a named one stays")
        func anonymous() async throws {
            try await DockerEngine.with { engine in
                func run(_ name: String, _ options: String...) async throws {
                    let mount = "type=volume,destination=/data,volume-driver=nfsd,volume-opt=server=storage.example,volume-opt=path=/export"
                    try await engine.docker(
                        ["run", "--name", name] + options + [
                            "--mount", mount, "busybox", "sh", "-c", "cat /data/file; echo \(name) > /data/file",
                        ])
                }
                try await run("first")
                let listed = try await engine.listedVolumes()
                #expect(listed.count == 1 && listed[0].wholeMatch(of: /nfsd [0-9a-f]{64}/) != nil, "\(listed)")
                #expect(try await engine.docker("start", "--attach", "first") == "first")
                try await engine.docker("rm", "--volumes", "first")
                #expect(try await engine.listedVolumes() == [])

                try await run("second", "--rm")
                #expect(try await engine.listedVolumes() == [], "--rm takes it away too")
                try await run("third")
                try await engine.docker("rm", "third")
                let left = try await engine.listedVolumes()
                #expect(left.count == 1, "without -v nobody asks for that")
                try await engine.docker("volume", "rm", String(left[0].dropFirst("nfsd ".count)))

                try await engine.createVolume("named")
                try await engine.startContainer("user", "named")
                try await engine.docker("rm", "--force", "--volumes", "user")
                #expect(try await engine.listedVolumes() == ["nfsd named"])
                #expect(try await engine.shell("cat /data/file", in: "named") == "third", "and data stay in any case")
                try await engine.removeVolumes("named")
            }
        }

        @Test("A volume without a name and without options is refused with the command that makes one")
        func anonymousWithoutOptions() async throws {
            try await DockerEngine.with { engine in
                for volume in ["/data", "unknown:/data"] {
                    let refusal = try await engine.failingDocker(
                        "run", "--rm", "--volume-driver", "nfsd", "--volume", volume, "busybox", "true")
                    #expect(
                        refusal.contains(
                            "no options given; say what to mount: docker volume create -d nfsd --opt server=HOST --opt path=/EXPORT NAME"),
                        "\(refusal)")
                }
                #expect(try await engine.listedVolumes() == [])
                // What exists already needs no options.
                try await engine.createVolume("work")
                try await engine.docker("run", "--rm", "--volume-driver", "nfsd", "--volume", "work:/data", "busybox", "true")
                try await engine.removeVolumes("work")
            }
        }
    }
}
