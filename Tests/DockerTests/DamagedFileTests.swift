// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension DockerTests {
    @Suite("Damaged files of the daemon")
    struct DamagedFiles {
        @Test("Definitions that cannot be read are set aside; the daemon starts, and the other volumes work")
        func definitions() async throws {
            let damages = [
                "", "{\"format\":1,\"name\":\"bad1\",\"dri", "\u{0}\u{1}\u{2}", "{\"format\":99,\"name\":\"bad3\"}", "[]",
                "{\"format\":1,\"name\":\"good\"}", String(repeating: "[", count: 100_000),
            ]
            try await DockerEngine.with { engine in
                try await engine.createVolume("good", "subdir=good", "create=true")
                for number in damages.indices { try await engine.createVolume("bad\(number)", "subdir=bad\(number)", "create=true") }
                try await engine.shell("echo kept > /data/file", in: "bad0")
                try await engine.stopDriver()
                let (folder, aside) = (DockerEngine.stateFolder + "/volumes", DockerEngine.stateFolder + "/damaged")
                for (number, damage) in damages.enumerated() { try engine.host.write(damage, to: "\(folder)/bad\(number).json") }

                try await engine.startDriver()
                #expect(try await engine.listedVolumes() == ["nfsd good"])
                #expect(engine.host.names(in: folder) == ["good.json"])
                for (number, damage) in damages.enumerated() {
                    let file = "bad\(number).json"
                    #expect(engine.host.contents(of: "\(aside)/\(file)") == damage, "nothing is thrown away")
                    #expect(engine.driverLog.contains("<3>damaged file \(folder)/\(file) set aside as \(aside)/\(file): "))
                }
                #expect(try await engine.shell("echo fine > /data/file; cat /data/file", in: "good") == "fine")

                try await engine.createVolume("bad0", "subdir=bad0", "create=true")
                #expect(try await engine.shell("cat /data/file", in: "bad0") == "kept", "created again, it has its data")
                try await engine.removeVolumes("good", "bad0")
            }
        }

        @Test("References that cannot be read are set aside; the container goes on, and its volume is free once it has ended")
        func references() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("user", "work")
                try await engine.killDriver()
                try engine.host.write("{\"boot\":", to: DockerEngine.runtimeFolder + "/references/work.json")
                try await engine.startDriver()
                try await engine.docker("exec", "user", "touch", "/data/file")
                #expect(try await engine.status(of: "work")["state"] == "mounted", "what a process uses is not unmounted")
                try await engine.shell("ls /data/file", in: "work")
                try await engine.docker("exec", "user", "ls", "/data/file")
                try await engine.removeContainer("user")
                try await engine.removeVolumes("work")
            }
        }

        @Test("A write that a power cut interrupted leaves the definition as it was")
        func draft() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.killDriver()
                try engine.host.write("{\"form", to: DockerEngine.stateFolder + "/volumes/work.json.new")
                try await engine.startDriver()
                #expect(try await engine.listedVolumes() == ["nfsd work"])
                #expect(engine.host.names(in: DockerEngine.stateFolder + "/volumes") == ["work.json"])
                try await engine.shell("true", in: "work")
                try await engine.removeVolumes("work")
            }
        }

        @Test("Mounts in the daemon's folder that no volume claims are taken away at its start, unless somebody uses them")
        func orphans() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("user", "work")
                try await engine.killDriver()
                let place = DockerEngine.volumesFolder + "/orphan"
                #expect(try await engine.host.run(["sh", "-c", "mkdir \(place) && mount -t tmpfs other \(place)"]).status == 0)
                try await engine.startDriver()
                try await eventually("the daemon has looked") { engine.driverLog.contains("which belongs to no volume") }
                #expect(engine.driverLog.contains("<4>other is mounted at \(place), which belongs to no volume; left as it is"), "not ours")
                let mounted = try engine.mountedVolumes()
                #expect(mounted == ["orphan", "work"])
                _ = try await engine.host.run(["umount", place])

                // One of ours: a volume whose definition is gone.
                try await engine.removeContainer("user")
                try await engine.createVolume("lost", "subdir=lost", "create=true")
                try await engine.startContainer("user", "lost")
                try await engine.killDriver()
                _ = try await engine.host.run(["rm", DockerEngine.stateFolder + "/volumes/lost.json"])
                try await engine.startDriver()
                try await eventually("the daemon has looked") {
                    engine.driverLog.contains("\(DockerEngine.volumesFolder)/lost, which belongs to no volume; left as it is")
                }
                try await engine.docker("exec", "user", "touch", "/data/file")
                try await engine.removeContainer("user")
                try await engine.killDriver()
                try await engine.startDriver()
                try await eventually("the daemon has looked") {
                    engine.driverLog.contains("\(DockerEngine.volumesFolder)/lost, which belongs to no volume; unmounted")
                }
                try await engine.removeVolumes("work")
            }
        }
    }
}
