// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension DockerTests {
    /// In each a container runs with a volume while something ends; afterwards the volume is there once, works for a new
    /// container, shows the old data, and can be given back without a trace.
    @Suite("When a daemon ends and comes back")
    struct Restarts {
        private static let liveRestore = DockerEngine.Settings(liveRestore: true)

        /// - Parameter containerLives: whether the container is to run through all of it.
        private func withContainer(
            _ settings: DockerEngine.Settings = .init(), containerLives: Bool, during events: (DockerEngine) async throws -> Void
        ) async throws {
            try await DockerEngine.with(settings) { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("user", "work")
                try await engine.docker("exec", "user", "sh", "-c", "echo before > /data/file")
                try await events(engine)

                #expect(try await engine.listedVolumes() == ["nfsd work"])
                let isRunning = try await engine.inspect("container", "user")["State"]!["Running"]
                #expect(isRunning == .bool(containerLives))
                #expect(try await engine.shell("cat /data/file; echo after > /data/file", in: "work") == "before")
                let mounted = try engine.mountedVolumes()
                if containerLives {
                    #expect(mounted == ["work"])
                    #expect(try await engine.docker("exec", "user", "cat", "/data/file") == "after")
                    #expect(try await engine.status(of: "work")["heldBy"]!.arrayValue!.count == 1)
                } else {
                    try await engine.docker("start", "user")
                    #expect(try await engine.docker("exec", "user", "cat", "/data/file") == "after")
                }
                try await engine.docker("stop", "user")
                try await engine.removeContainer("user")
                try await engine.removeVolumes("work")
                #expect(!engine.driverLog.contains("<3>"), "no error in the daemon's log: \(engine.driverLog)")
            }
        }

        @Test("docker-nfsd is stopped: its sockets are gone, mounts stay; it comes back")
        func driverStops() async throws {
            try await withContainer(containerLives: true) { engine in
                try await engine.stopDriver()
                #expect(engine.host.names(in: DockerEngine.pluginFolder) == [])
                #expect(try engine.mountedVolumes() == ["work"])
                #expect(engine.referencedVolumes() == ["work"])
                try await engine.docker("exec", "user", "sh", "-c", "cp /data/file /data/copy")
                try await engine.startDriver()
                let status = try await engine.status(of: "work")
                #expect(status["state"] == "mounted" && status["references"] == 1, "\(status)")
            }
        }

        @Test("docker-nfsd is killed and comes back")
        func driverIsKilled() async throws {
            try await withContainer(containerLives: true) { engine in
                try await engine.killDriver()
                #expect(try engine.mountedVolumes() == ["work"])
                try await engine.docker("exec", "user", "sh", "-c", "cp /data/file /data/copy")
                try await engine.startDriver()
            }
        }

        @Test("docker-nfsd is away while the container ends")
        func driverIsAwayAtTheEnd() async throws {
            try await withContainer(containerLives: false) { engine in
                try await engine.stopDriver()
                async let stopped: Void = { _ = try await engine.docker("stop", "user") }()
                try await eventually("Docker misses the driver") { engine.engineLog.contains("retrying in 1s") }
                try await engine.startDriver()
                try await stopped
                try await engine.expectNoMounts()
            }
        }

        @Test("docker-nfsd is away for longer than Docker tries to tell it that the container has ended")
        func driverIsAwayTooLong() async throws {
            try await withContainer(containerLives: false) { engine in
                try await engine.stopDriver()
                try await engine.docker("stop", "user")
                try await eventually("Docker gives up", within: .seconds(40)) { engine.engineLog.contains("Failed to umount volumes") }
                try await engine.startDriver()
                #expect(try await engine.status(of: "work")["references"] == 1, "or this tests nothing")
            }
        }

        @Test("dockerd is stopped, its containers with it, and comes back")
        func engineStops() async throws {
            try await withContainer(containerLives: false) { engine in
                try await engine.stopEngine()
                try await engine.expectNoMounts()
                try await engine.startEngine()
            }
        }

        @Test("dockerd is killed and comes back; its containers end then")
        func engineIsKilled() async throws {
            try await withContainer(containerLives: false) { engine in
                try await engine.killEngine()
                #expect(try engine.mountedVolumes() == ["work"], "nobody has unmounted it")
                try await engine.startEngine()
            }
        }

        @Test("dockerd with live-restore is stopped and comes back, the container runs on")
        func restoringEngineStops() async throws {
            try await withContainer(Self.liveRestore, containerLives: true) { engine in
                try await engine.stopEngine()
                #expect(try engine.mountedVolumes() == ["work"])
                try await engine.startEngine()
            }
        }

        @Test("dockerd with live-restore is killed and comes back, the container runs on")
        func restoringEngineIsKilled() async throws {
            try await withContainer(Self.liveRestore, containerLives: true) { engine in
                try await engine.killEngine()
                try await engine.startEngine()
            }
        }

        @Test("dockerd is killed under several containers of one volume, and starts them again by itself")
        func engineRestartsContainers() async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                let names = ["user1", "user2", "user3"]
                for name in names { try await engine.startContainer(name, "work", options: ["--restart", "always"]) }
                for _ in 0..<2 {
                    try await engine.killEngine()
                    try await engine.startEngine()
                    try await eventually("the containers run again") {
                        try await engine.docker("ps", "--quiet", "--filter", "status=running").split(separator: "\n").count == names.count
                    }
                }
                #expect(try await engine.status(of: "work")["references"] == 3)
                for name in names { try await engine.removeContainer(name) }
                try await engine.expectNoMounts()
                try await engine.removeVolumes("work")
            }
        }

        @Test("A container that dockerd's end has killed and that never starts again does not keep its volume", arguments: [false, true])
        func containerNeverStartsAgain(isDriverKilledToo: Bool) async throws {
            try await DockerEngine.with { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("user", "work")
                try await engine.killEngine()
                try await engine.startEngine()
                if isDriverKilledToo {
                    try await engine.killDriver()
                    try await engine.startDriver()
                }
                try await engine.removeContainer("user")
                try await engine.removeVolumes("work")
            }
        }

        @Test("A container ends while dockerd with live-restore is away")
        func containerEndsMeanwhile() async throws {
            try await withContainer(Self.liveRestore, containerLives: false) { engine in
                let process = try await engine.inspect("container", "user")["State"]!["Pid"]!.intValue!
                try await engine.killEngine()
                _ = try await engine.host.run(["kill", "-KILL", String(process)])
                try await engine.startEngine()
            }
        }

        @Test("Both are stopped, and docker-nfsd comes first, as the units have it")
        func bothDriverFirst() async throws {
            try await withContainer(containerLives: false) { engine in
                try await engine.stopEngine()
                try await engine.stopDriver()
                try await engine.startDriver()
                try await engine.startEngine()
            }
        }

        @Test("Both are killed, and docker-nfsd comes first")
        func bothKilledDriverFirst() async throws {
            try await withContainer(containerLives: false) { engine in
                try await engine.killEngine()
                try await engine.killDriver()
                try await engine.startDriver()
                try await engine.startEngine()
            }
        }

        @Test("Both are killed, and dockerd comes first and has to wait")
        func bothKilledEngineFirst() async throws {
            try await withContainer(containerLives: false) { engine in
                try await engine.killDriver()
                try await engine.killEngine()
                // What its socket files cost is not the point here: systemd would hold them.
                try await engine.startEngine(waits: false)
                try await eventually("Docker misses the driver") { engine.engineLog.contains("retrying in 1s") }
                try await engine.startDriver()
                try await engine.engineIsUp()
            }
        }

        @Test("Both are killed under a container that lives on with live-restore")
        func bothKilledWithLiveRestore() async throws {
            try await withContainer(Self.liveRestore, containerLives: true) { engine in
                try await engine.killEngine()
                try await engine.killDriver()
                try await engine.startDriver()
                try await engine.startEngine()
            }
        }

        @Test("Killed again and again, nothing adds up")
        func manyTimes() async throws {
            try await withContainer(Self.liveRestore, containerLives: true) { engine in
                for _ in 0..<3 {
                    try await engine.killDriver()
                    try await engine.startDriver()
                    try await engine.killEngine()
                    try await engine.startEngine()
                    try await engine.shell("true", in: "work")
                }
                #expect(try await engine.status(of: "work")["references"] == 1)
            }
        }
    }
}
