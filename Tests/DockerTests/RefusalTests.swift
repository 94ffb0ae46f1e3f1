// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension DockerTests {
    @Suite("What is refused, word for word")
    struct Refusals {
        @Test("docker volume create says what is wrong and what to write instead")
        func create() async throws {
            try await DockerEngine.with { engine in
                let cases: [(options: [String], message: String)] = [
                    (["sever=storage.example", "path=/export"], "unknown option sever; did you mean server?"),
                    (["server=storage.example", "pth=/export"], "unknown option pth; did you mean path?"),
                    (
                        ["server=storage.example", "path=/export", "noatime="],
                        "unknown option noatime; mount options go into o, as in --opt o=noatime"
                    ),
                    (
                        [],
                        "no options given; say what to mount: docker volume create -d nfsd --opt server=HOST --opt path=/EXPORT NAME"
                    ),
                    (
                        ["path=/export"],
                        "option server is missing; give the NFS server, as in --opt server=HOST --opt path=/EXPORT"
                    ),
                    (["server=storage.example"], "option path is missing; give the export's path, as in --opt path=/EXPORT"),
                    (["server=storage.example", "path=export"], "option path is not an absolute path: export; it begins with /"),
                    (["server=storage.example", "path=/a/../b"], "option path has .. in it: /a/../b; give the path itself"),
                ]
                for (options, message) in cases {
                    let words = ["volume", "create", "--driver", "nfsd"] + options.flatMap { ["--opt", $0] } + ["work"]
                    let refusal = try await engine.failingDocker(words)
                    #expect(
                        refusal == "Error response from daemon: create work: VolumeDriver.Create: cannot create volume work: \(message)")
                }
                #expect(try await engine.listedVolumes() == [])
                #expect(engine.host.names(in: DockerEngine.stateFolder + "/volumes") == [])
            }
        }

        @Test("Creating a volume that is there: Docker answers by itself, another engine is told what differs")
        func repeated() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work", "o=noexec")
                try await engine.createVolume("work", "o=noexec")
                // Docker asks whether the volume is there, and no more; so what it has is the old options.
                try await engine.createVolume("work", "o=nodev")
                let requested: JSONValue = try await engine.status(of: "work")["requested"]!
                #expect(requested["o"] == "noexec")

                let same: JSONValue = ["Name": "work", "Opts": ["device": "storage.example:/export", "o": "noexec"]]
                #expect(try await engine.callDriver("VolumeDriver.Create", same)["Err"] == "", "the same in another spelling")
                let other: JSONValue = ["Name": "work", "Opts": ["server": "storage.example", "path": "/else"]]
                let answer = try await engine.callDriver("VolumeDriver.Create", other)
                #expect(
                    answer["Err"]
                        == "volume work exists with other options: o=noexec instead of (not set), path=/export instead of /else; remove it first (docker volume rm work), its data stay on the server"
                )
                let elsewhere = try await engine.callDriver("VolumeDriver.Create", same, driver: "docker-nfsd")
                #expect(elsewhere["Err"] == "volume work exists under the driver name nfsd; use that name, or remove it there first")
                #expect(
                    try await engine.callDriver("VolumeDriver.Get", ["Name": "work"], driver: "docker-nfsd")["Err"]
                        == "no such volume: work")
                try await engine.removeVolumes("work")
            }
        }

        @Test("What was never there, or is no more")
        func unknown() async throws {
            try await DockerEngine.with { engine in
                #expect(try await engine.failingDocker("volume", "inspect", "work").lowercased().contains("no such volume: work"))
                #expect(try await engine.failingDocker("volume", "rm", "work").lowercased().contains("no such volume: work"))
                for method in ["Get", "Path", "Remove"] {
                    let answer = try await engine.callDriver("VolumeDriver.\(method)", ["Name": "work"])
                    #expect(answer["Err"] == "no such volume: work", "\(method)")
                }
                for method in ["Mount", "Unmount"] {
                    let answer = try await engine.callDriver("VolumeDriver.\(method)", ["Name": "work", "ID": "1"])
                    #expect(answer["Err"] == "no such volume: work", "\(method)")
                }
            }
        }

        @Test("A mount that fails says why at docker run, and leaves nothing behind")
        func mount() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work", "subdir=not/there")
                let refusal = try await engine.failingDocker("run", "--rm", "--volume", "work:/data", "busybox", "true")
                #expect(refusal.contains("VolumeDriver.Mount: "), "\(refusal)")
                #expect(refusal.contains("not/there"), "\(refusal)")
                try await engine.expectNoMounts()
                let status = try await engine.status(of: "work")
                #expect(status["state"] == "not mounted")
                #expect(status["lastFailure"]!.stringValue!.contains("not/there"))
                try await engine.removeVolumes("work")
            }
        }

        @Test("Local files at the mount point are not covered up")
        func localFiles() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                let place = DockerEngine.volumesFolder + "/work"
                _ = try await engine.host.run(["sh", "-c", "mkdir \(place) && touch \(place)/precious"])
                let refusal = try await engine.failingDocker("run", "--rm", "--volume", "work:/data", "busybox", "true")
                #expect(
                    refusal.contains("\(place)") && refusal.contains("it holds local files: move them away, then try again"), "\(refusal)")
                #expect(engine.host.names(in: place) == ["precious"])
                _ = try await engine.host.run(["rm", place + "/precious"])
                try await engine.shell("touch /data/file", in: "work")
                try await engine.removeVolumes("work")
            }
        }
    }

    @Suite("Names of volumes")
    struct Names {
        /// Docker restricts the names of its own driver's volumes only.
        @Test("Any name that Docker lets pass is one volume, in one folder, and nothing outside of it")
        func hostile() async throws {
            try await DockerEngine.with { engine in
                let names = [
                    "a/b", "a%2Fb", "../../../etc", "/etc/passwd", ".", "..", ".hidden", "with space", "ümlaut", "tab\there", "line\nbreak",
                    "$(id)",
                    "-dash", "a:b", "CON", "work.json", String(repeating: "n", count: 200),
                ]
                for (index, name) in names.enumerated() {
                    let words =
                        ["volume", "create", "--driver", "nfsd"] + DockerEngine.options(["subdir=v\(index)", "create=true"]) + ["--", name]
                    let result = try await engine.runDocker(words)
                    #expect(result.status == 0 && result.output == name + "\n", "\(name): \(result)")
                }
                let files = engine.host.names(in: DockerEngine.stateFolder + "/volumes")
                #expect(files.count == names.count, "each has a file of its own: \(files)")
                #expect(files.allSatisfy { $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } && !$0.hasPrefix(".") }, "\(files)")
                let listed = try await engine.docker("volume", "ls", "--quiet")
                #expect(Set(listed.split(separator: "\n")).isSuperset(of: names.filter { !$0.contains("\n") }.map { $0[...] }))

                for (index, name) in names.enumerated() {
                    // --volume would read a colon its own way; this is a line of CSV.
                    let mount = "type=volume,\"source=\(name)\",destination=/data"
                    let result = try await engine.runDocker([
                        "run", "--rm", "--mount", mount, "busybox", "sh", "-c", "touch /data/file\(index); ls /data",
                    ])
                    #expect(result.output == "file\(index)\n", "\(name): \(result)")
                }
                try await engine.expectNoMounts()
                for name in names {
                    // What Docker's client makes of such a name in a URL is not that name; an engine can remove it all the same.
                    if ["../../../etc", "/etc/passwd", ".", "..", "line\nbreak"].contains(name) {
                        #expect(try await engine.callDriver("VolumeDriver.Remove", ["Name": .string(name)])["Err"] == "", "\(name)")
                    } else {
                        let result = try await engine.runDocker(["volume", "rm", "--", name])
                        #expect(result.status == 0, "\(name): \(result)")
                    }
                }
                #expect(engine.host.names(in: DockerEngine.stateFolder + "/volumes") == [])
                #expect(engine.host.names(in: "/etc").contains("passwd"))
            }
        }

        @Test("A name that no file could have is refused")
        func tooLong() async throws {
            try await DockerEngine.with { engine in
                let name = String(repeating: "n", count: 201)
                let refusal = try await engine.failingDocker(["volume", "create", "--driver", "nfsd"] + DockerEngine.options() + [name])
                #expect(
                    refusal.hasSuffix("volume name is empty or too long; give one of at most 200 letters, digits, ., _ or -"), "\(refusal)")
            }
        }
    }
}
