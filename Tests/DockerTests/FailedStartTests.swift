// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import TestSupport
import Testing

extension DockerTests {
    @Suite("When a container could not start without its volume")
    struct FailedStartTests {
        private func isRunning(_ name: String, _ engine: DockerEngine) async throws -> Bool {
            try await engine.inspect("container", name)["State"]!["Running"] == true
        }

        /// The server is away while dockerd starts its containers, as after a boot. Docker does not try again by itself (moby 47153).
        ///
        /// - Returns: with the server back again.
        private func withFailedStart(isOn: Bool, _ body: (DockerEngine) async throws -> Void) async throws {
            let variables = ["DOCKER_NFSD_RESTART_FAILED": isOn ? "on" : "off", "DOCKER_NFSD_RETRY": "off"]
            try await DockerEngine.with(DockerEngine.Settings(isCalledByDriver: true, variables: variables)) { engine in
                try await engine.createVolume("work")
                try await engine.startContainer("wanted", "work", options: ["--restart", "always"])
                try await engine.startContainer("stopped", "work", options: ["--restart", "unless-stopped"])
                try await engine.startContainer("free", "work")
                try await engine.docker("stop", "stopped")
                try await engine.stopEngine()
                try await engine.expectNoMounts()
                try await engine.setServer(isAway: true)
                try await engine.startEngine()
                try await eventually("the start has failed") {
                    let state = try await engine.inspect("container", "wanted")["State"]!
                    return state["Running"] == false && state["Error"] != ""
                }
                if isOn {
                    try await eventually("it is remembered") {
                        engine.host.names(in: DockerEngine.runtimeFolder).contains("failed-starts.json")
                    }
                }
                // What is remembered is not lost with the daemon.
                try await engine.killDriver()
                try await engine.startDriver()
                try await engine.setServer(isAway: false)
                try await body(engine)
                for name in ["stopped", "free"] { #expect(try await !isRunning(name, engine), "\(name)") }
                for name in ["wanted", "stopped", "free"] { try await engine.removeContainer(name) }
                try await engine.removeVolumes("work")
            }
        }

        @Test("With restart-failed on, it is started when the server is back; what a user has stopped and what is free stay as they are")
        func isStartedAgain() async throws {
            try await withFailedStart(isOn: true) { engine in
                try await eventually("the container runs", within: .seconds(60)) { try await isRunning("wanted", engine) }
                #expect(try engine.mountedVolumes() == ["work"])
                #expect(engine.driverLog.contains("container wanted runs again"))
                #expect(try await engine.inspect("container", "wanted")["State"]!["Error"] == "")
            }
        }

        @Test("With restart-failed off, as it is by default, it stays down, though others run with the volume")
        func staysDown() async throws {
            try await withFailedStart(isOn: false) { engine in
                try await eventually("the daemon is in touch with the engine", within: .seconds(40)) {
                    engine.driverLog.components(separatedBy: "has looked up").count > 2
                }
                try await engine.shell("true", in: "work")
                #expect(try await !isRunning("wanted", engine))
                #expect(!engine.host.names(in: DockerEngine.runtimeFolder).contains("failed-starts.json"))
            }
        }
    }
}
