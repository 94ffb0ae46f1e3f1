// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import KernelMount
import LinuxSystem
import StandIn
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import Volumes

/// What those who ask for a volume learn of its server, its traffic and its room.
@Suite(.timeLimit(.minutes(2))) struct HealthStatusTests {
    private var activity: ActivityCounters {
        var counters = ActivityCounters()
        (counters.age, counters.operations, counters.bytesRead, counters.bytesWritten) = (100, 1234, 3 << 20, 1536)
        (counters.reads, counters.writes) = (.init(count: 3, milliseconds: 10), .init())
        (counters.retransmissions, counters.majorTimeouts, counters.errors) = (2, 1, 7)
        return counters
    }

    @Test func allThatIsKnown() {
        let health = VolumeHealth(
            server: .init(awaySince: "T1", code: "silent", reason: "no answer", lastAnswer: "T0"), activity: activity,
            usage: .init(
                space: FileSystemSpace(size: 10 << 30, used: 3 << 30, free: 6 << 30, inodes: 100, freeInodes: 88), asOf: "T2",
                unknownSince: "T3"))
        #expect(
            health.json == [
                "health": ["server": "away", "since": "T1", "code": "silent", "reason": "no answer", "lastAnswer": "T0"],
                "activity": [
                    "age": 100, "operations": 1234, "bytesRead": 3_145_728, "bytesWritten": 1536, "retransmissions": 2,
                    "majorTimeouts": 1, "errors": 7, "averageReadMilliseconds": .number(JSONNumber(3.333)!),
                ],
                "usage": [
                    "size": 10_737_418_240, "used": 3_221_225_472, "free": 6_442_450_944, "inodes": 100, "freeInodes": 88, "asOf": "T2",
                    "unknownSince": "T3",
                ],
            ])
        #expect(
            health.lines.map { "\($0.name): \($0.value)" } == [
                "health: the server has not answered since T1 (silent): no answer",
                "traffic: 1234 calls, 3.0 MiB read, 1.5 KiB written, 2 sent again, 1 time-outs",
                "times: a read takes 3.3 ms, no write yet",
                "usage: 3.0 GiB of 10.0 GiB used, 6.0 GiB free, 88 of 100 files free (as of T2); unknown since T3",
            ])
    }

    @Test func whatIsNotKnownIsNotShown() {
        #expect(VolumeHealth().json == [:])
        #expect(VolumeHealth().lines.isEmpty)
        #expect(VolumeHealth(usage: .init(unknownSince: "T3")).lines.map(\.value) == ["unknown since T3"])
    }

    @Test(.needs(.root)) func inspectAndStatusSayWhoWaits() async throws {
        try await withFixture { plain in
            var fixture = plain
            var standIn = try #require(plain.settings.volumes.kind as? StandIn)
            standIn.troubles = plain.folder.appending("troubles")
            fixture.settings.volumes.kind = standIn
            fixture.settings.socketDirectory = plain.folder.appending("sockets")
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: ["server": "NAS", "path": "/export"])
            try await driver.create("other", options: ["server": "nas", "path": "/export"])
            _ = try await driver.mount("web", id: "one")
            #expect(try driver.get("web").status?["health"]?["server"] == "answers")
            try makeFolders(plain.folder.appending("troubles"))
            try replaceFile(plain.folder.appending("troubles/nas"), with: Array("silent 1".utf8), durable: false)
            await #expect(throws: (any Error).self) { try await driver.mount("other", id: "two") }
            let inspected = try #require(driver.get("web").status)
            #expect(inspected["health"]?["server"] == "away" && inspected["health"]?["code"] == "silent")

            // Status reads what the daemon has written.
            var content = HealthFile.Content(written: timestamp(), seconds: secondsSinceBoot())
            content.servers["nas"] = .init(awaySince: "T1", code: "silent", reason: "no \u{1b}answer")
            let file = try HealthFile(runtime: fixture.settings.volumes.runtimeDirectory)
            try file.write(content)
            let report = try StatusReport(settings: fixture.settings, logger: fixture.logger)
            #expect(report.text.contains("\nserver nas has not answered since T1; volumes that wait: web\n"))
            #expect(report.text.contains("  health     the server has not answered since T1 (silent): no ?answer\n"))
            #expect(!report.text.contains("as of"))
            #expect(report.json["healthAsOf"] == .string(content.written))
            content.seconds -= HealthFile.freshness + 1
            try file.write(content)
            #expect(
                try StatusReport(settings: fixture.settings, logger: fixture.logger).text
                    .contains("\nwhat is known of servers and of usage is as of \(content.written)\n"))
        }
    }

    @Test(.needs(.root)) func topWorksWithoutTheDaemon() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            for name in ["a", "b"] { try await driver.create(name, options: ["server": "nas", "path": "/export"]) }
            _ = try await driver.mount("b", id: "one")
            let sample = try TrafficSample(settings: fixture.settings, logger: fixture.logger)
            #expect(sample.volumes.map(\.name) == ["a", "b"] && sample.volumes.map(\.state) == ["-", "mounted"])
            #expect(TrafficTable.lines(from: sample, to: sample).count == 3)
        }
    }
}
