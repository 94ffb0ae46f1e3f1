// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import JSON
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

struct StatusReportTests {
    private func settings(_ fixture: Fixture) -> DaemonSettings {
        var settings = fixture.settings
        settings.socketDirectory = fixture.folder.appending("sockets")
        return settings
    }

    private func report(_ fixture: Fixture) throws -> StatusReport { try StatusReport(settings: settings(fixture), logger: fixture.logger) }

    @Test func withoutVolumes() async throws {
        try await withFixture { fixture in
            _ = try fixture.start()
            let report = try report(fixture)
            let sockets = fixture.folder.appending("sockets")
            #expect(
                report.text == """
                    \(sockets)/nfsd.sock: nobody listens (systemctl status docker-nfsd)
                    \(sockets)/docker-nfsd.sock: nobody listens (systemctl status docker-nfsd)
                    no volumes

                    """)
            #expect(
                report.json == [
                    "listening": .object(["\(sockets)/nfsd.sock": false, "\(sockets)/docker-nfsd.sock": false]), "volumes": [],
                ])
        }
    }

    @Test func namesOfOthersDoNothingToATerminal() async throws {
        try await withFixture { fixture in
            try await fixture.start().nfsd.create("\u{1b}[2Jx\u{9b}\ny", options: ["server": "nas", "path": "/a"])
            let text = try report(fixture).text
            #expect(text.contains("\n?[2Jx??y  (driver nfsd, created "))
            #expect(!text.unicodeScalars.contains { $0 == "\u{1b}" || $0 == "\u{9b}" })
        }
    }

    @Test func whereTheDaemonNeverRan() async throws {
        try await withFixture { fixture in
            #expect(throws: SystemError.self) { try report(fixture) }
            #expect(fixture.names("").isEmpty)
        }
    }

    @Test func volumesThatContainersWaitForAreShown() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            for name in ["new", "old", "other"] { try await driver.create(name, options: ["server": "nas", "path": "/a"]) }
            let file = try FailedStartFile(runtime: fixture.settings.volumes.runtimeDirectory)
            let entries = try [("new", 0), ("old", 2)].map {
                (try #require(VolumeName($0)), FailedStartFile.Entry(owner: "nfsd", tries: $1))
            }
            try file.write(Dictionary(uniqueKeysWithValues: entries))
            var settings = settings(fixture)
            // What an earlier setting has left means nothing.
            #expect(try !StatusReport(settings: settings, logger: fixture.logger).text.contains("started again"))
            settings.engine.restartsFailedContainers = true
            let report = try StatusReport(settings: settings, logger: fixture.logger)
            let line = "  waits      containers that could not start without it are started again when its server answers"
            #expect(report.text.components(separatedBy: "\n").filter { $0.hasPrefix(line) } == [line, line + " (2 times in vain)"])
            let volumes = try #require(report.json["volumes"]?.arrayValue)
            #expect(volumes.map { $0["startsAgain"] } == [["triesInVain": 0], ["triesInVain": 2], nil])
        }
    }

    @Test(.needs(.root)) func withVolumes() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: ["device": "nas:/export", "nfsvers": "4.2", "subdir": "a", "create": "yes"])
            try await driver.create("other", options: ["device": "nas:/b"])
            _ = try await driver.mount("web", id: "one")
            _ = try await driver.mount("web", id: "one")
            _ = try await driver.mount("web", id: "two")
            try makeFolders(fixture.folder.appending("docker/containers/abc"))
            let config = #"{"Name":"/shop","MountPoints":{"/data":{"ID":"one"}}}"#
            try replaceFile(fixture.folder.appending("docker/containers/abc/config.v2.json"), with: Array(config.utf8))
            let report = try report(fixture)
            let text = report.text
            for line in [
                "  (driver nfsd, created \(try driver.get("web").createdAt!))\n", "\n  source     nas:/export/a\n",
                "\n  state      mounted at \(fixture.place("web"))\n",
                "\n  requested  create=true mode=0755 nfsvers=4.2 path=/export server=nas subdir=a\n", "\n  effective  rw,noatime",
                "\n  held by    container shop, 2 times\n", "\n  held by    mount two\n", "\n  source     nas:/b\n",
                "\n  state      not mounted\n",
            ] {
                #expect(text.contains(line))
            }
            #expect(text.hasSuffix("\n"))
            let volumes = try #require(report.json["volumes"]?.arrayValue)
            #expect(volumes.count == 2)
            let web = try #require(volumes.first { $0["name"] == "web" })
            #expect(web["mountpoint"] == .string(fixture.place("web").string))
            #expect(web["state"] == "mounted")
            #expect(web["fileSystem"] == "tmpfs")
            #expect(web["references"] == 3)
            #expect(web["heldBy"] == [["id": "one", "count": 2, "container": "shop"], ["id": "two", "count": 1]])
            let other = try #require(volumes.first { $0["name"] == "other" })
            #expect(other["mountpoint"] == "")
            #expect(other["state"] == "not mounted")
            #expect(other["heldBy"] == [])
            // What is printed can be read.
            #expect(try JSONValue(parsing: report.json.encoded(.pretty)) == report.json)
        }
    }

    /// A container must not be looked for in a mount that is not ours, and reading must change nothing.
    @Test func lookingMovesNothing() async throws {
        try await withFixture { fixture in
            _ = try fixture.start()
            try replaceFile(fixture.folder.appending("state/volumes/bad.json"), with: [])
            _ = try report(fixture)
            #expect(fixture.names("state/volumes") == ["bad.json"])
            #expect(fixture.names("state/damaged").isEmpty)
        }
    }
}
