// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

/// What Swarm needs of one node: that its engine knows the driver, and volumes that need no options.
@Suite(.needs(.docker), .timeLimit(.minutes(5))) struct ShareTests {
    /// Swarm's scheduler says "missing plugin" of a node whose engine has not looked the driver up.
    @Test func anEngineKnowsTheDriverWithoutBeingAsked() async throws {
        var settings = DockerEngine.Settings()
        settings.isCalledByDriver = true
        try await DockerEngine.with(settings) { engine in
            func isKnown() async throws -> Bool {
                try await engine.docker("info", "--format", "{{.Plugins.Volume}}") == "[docker-nfsd local nfsd]"
            }
            try await eventually("the engine knows both names", within: .seconds(60)) { try await isKnown() }
            try await engine.restartEngine()
            try await eventually("the next engine does, too", within: .seconds(60)) { try await isKnown() }
            try await engine.stopDriver()
            try await engine.startDriver()
            #expect(try await isKnown())
            let called = engine.driverLog.split(separator: "\n").filter { $0.contains("an engine has introduced itself") }
            #expect(called.count == 4, "each engine introduces itself once to each name: \(called)")
        }
    }

    @Test func aVolumeOfTheShareNeedsNoOptions() async throws {
        var settings = DockerEngine.Settings()
        settings.share = "nas:/export"
        try await DockerEngine.with(settings) { engine in
            try await engine.docker("volume", "create", "-d", "nfsd", "web")
            try await engine.docker("volume", "create", "-d", "nfsd", "--opt", "onremove=delete", "scratch")
            let shown = try await engine.inspect("volume", "web")
            #expect(shown["Scope"]?.stringValue == "global")
            #expect(shown["Status"]?["share"]?.stringValue == "nas:/export")
            #expect(shown["Status"]?["source"]?.stringValue == "nas:/export/web")
            try await engine.docker(
                "run", "--rm", "-v", "web:/m", "-v", "scratch:/s", "busybox", "sh", "-c", "echo kept > /m/f; echo x > /s/f")
            try await engine.stopDriver()
            try await engine.startDriver()
            try await engine.restartEngine()
            #expect(try await engine.docker("run", "--rm", "-v", "web:/m", "busybox", "cat", "/m/f") == "kept")
            // A volume by the image's own wish, without a name.
            try await engine.docker("run", "--rm", "--volume-driver", "nfsd", "-v", "/anonymous", "busybox", "touch", "/anonymous/f")
            #expect(try await engine.docker("volume", "ls", "-q", "-f", "driver=nfsd") == "scratch\nweb")
            try await engine.docker("volume", "rm", "web", "scratch")
            #expect(try await engine.docker("volume", "ls", "-q") == "")
            try await engine.docker("volume", "create", "-d", "nfsd", "--opt", "server=nas", "--opt", "path=/export", "whole")
            let left = try await engine.docker("run", "--rm", "-v", "whole:/m:nocopy", "busybox", "ls", "-A", "/m").split(separator: "\n")
            #expect(left.contains("web") && !left.contains("scratch") && left.contains(".docker-nfsd"), "\(left)")
        }
    }
}
