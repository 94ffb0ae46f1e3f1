// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import KernelMount
import LinuxSystem
import PrometheusMetrics
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import Volumes

@Suite(.timeLimit(.minutes(5))) struct MetricsTests {
    private func page(_ drivers: VolumeDrivers) async throws -> PrometheusPage {
        try PrometheusPage(String(decoding: try await drivers.metricsPage(version: "1.2.3"), as: UTF8.self))
    }

    private func withDrivers(_ body: (Fixture, VolumeDrivers) async throws -> Void) async throws {
        try await withFixture { fixture in
            var fixture = fixture
            fixture.settings.metrics = .socket(fixture.folder.appending("metrics.sock"))
            try await body(fixture, try fixture.start())
        }
    }

    @Test func aDaemonThatHasDoneNothingHasItsFigures() async throws {
        try await withDrivers { _, drivers in
            let page = try await page(drivers)
            #expect(page.value("docker_nfsd_build_info", ["version": "1.2.3"]) == 1)
            for name in ["docker_nfsd_volumes", "docker_nfsd_mounted_volumes", "docker_nfsd_busy_volumes", "docker_nfsd_references"] {
                #expect(page.value(name) == 0, "\(name)")
            }
            // What is not there cannot be told from what is not counted, so that each kind of call is there from the start.
            for call in CallMeters.Call.allCases {
                #expect(page.value("docker_nfsd_calls_total", ["call": "\(call)", "code": "ok"]) == 0)
            }
            #expect(page.value("process_resident_memory_bytes") ?? 0 > 1_000_000)
            #expect(page.value("process_open_fds") ?? 0 > 2)
            #expect(page.value("process_start_time_seconds") ?? 0 > 1.7e9)
        }
    }

    @Test func callsAreCountedByKindAndResult() async throws {
        try await withDrivers { _, drivers in
            let driver = drivers.nfsd
            try await driver.create("web")
            _ = try? driver.get("web")
            _ = try? driver.get("other")
            _ = try? driver.path(of: "web")
            _ = driver.list()
            driver.activated()
            try? await driver.create("", options: [:])
            try? await driver.create("web", options: ["server": "nas", "path": "/elsewhere"])
            try? await driver.remove("other")
            let page = try await page(drivers)
            let counts = Dictionary(
                page.series("docker_nfsd_calls_total").filter { $0.value > 0 }
                    .map { ("\($0.labels["call"] ?? "") \($0.labels["code"] ?? "")", $0.value) }, uniquingKeysWith: +)
            #expect(
                counts == [
                    "create ok": 1, "create bad-option": 1, "create conflict": 1, "get ok": 1, "get no-such-volume": 1, "path ok": 1,
                    "list ok": 1, "activate ok": 1, "remove no-such-volume": 1,
                ])
            for (call, count) in [("create", 3.0), ("get", 2), ("remove", 1), ("mount", 0)] {
                #expect(page.value("docker_nfsd_call_duration_seconds_count", ["call": call]) == count, "\(call)")
                #expect(page.value("docker_nfsd_call_duration_seconds_bucket", ["call": call, "le": "+Inf"]) == count, "\(call)")
            }
            #expect(page.series("docker_nfsd_calls_in_flight").allSatisfy { $0.value == 0 })
        }
    }

    @Test func aCallThatWaitsIsInFlight() async throws {
        try await withDrivers { _, drivers in
            try await drivers.nfsd.create("web")
            let name = try #require(VolumeName("web"))
            #expect(drivers.locks.acquireIfFree(name))
            let removal = Task { try? await drivers.nfsd.remove("web") }
            try await eventually("it waits") { try await page(drivers).value("docker_nfsd_calls_in_flight", ["call": "remove"]) == 1 }
            drivers.locks.release(name)
            await removal.value
            #expect(try await page(drivers).value("docker_nfsd_calls_in_flight", ["call": "remove"]) == 0)
        }
    }

    @Test(.needs(.root)) func aVolumeHasItsFigures() async throws {
        try await withDrivers { _, drivers in
            let driver = drivers.nfsd
            try await driver.create("web")
            try await driver.create("other", options: ["server": "far", "path": "/b", "subdir": "c"])
            for id in ["a", "a", "b"] { _ = try await driver.mount("web", id: id) }
            var page = try await page(drivers)
            #expect(page.value("docker_nfsd_volumes") == 2)
            #expect(page.value("docker_nfsd_mounted_volumes") == 1)
            #expect(page.value("docker_nfsd_references") == 3)
            #expect(page.value("docker_nfsd_volume_mounted", ["volume": "web"]) == 1)
            #expect(page.value("docker_nfsd_volume_mounted", ["volume": "other"]) == 0)
            #expect(page.value("docker_nfsd_volume_references", ["volume": "web"]) == 3)
            #expect(page.value("docker_nfsd_volume_busy", ["volume": "web"]) == 0)
            let labels = ["volume": "other", "driver": "nfsd", "server": "far", "source": "far:/b"]
            #expect(page.value("docker_nfsd_volume_info", labels) == 1)
            #expect(page.value("docker_nfsd_calls_total", ["call": "mount", "code": "ok"]) == 3)
            for id in ["a", "a", "b"] { try await driver.unmount("web", id: id) }
            page = try await self.page(drivers)
            #expect(page.value("docker_nfsd_volume_mounted", ["volume": "web"]) == 0)
            #expect(page.value("docker_nfsd_calls_total", ["call": "unmount", "code": "ok"]) == 3)
        }
    }

    @Test func aVolumeThatCannotBeMountedOrIsBusyIsSeen() async throws {
        try await withDrivers { _, drivers in
            try await drivers.nfsd.create("web")
            let name = try #require(VolumeName("web"))
            try drivers.table.mountFailed(name, StorageError(.silent, "no answer"))
            drivers.table.change(name) { $0.busy = "process 7 is held" }
            let page = try await page(drivers)
            #expect(page.value("docker_nfsd_volume_mount_failed", ["volume": "web", "code": "silent"]) == 1)
            #expect(page.value("docker_nfsd_volume_busy", ["volume": "web"]) == 1)
            #expect(page.value("docker_nfsd_busy_volumes") == 1)
        }
    }

    @Test func aServerThatIsAwayIsSeen() async throws {
        try await withDrivers { _, drivers in
            let servers = drivers.state.servers
            #expect(try await page(drivers).series("docker_nfsd_server_up").isEmpty)
            servers.answered("near", by: .mount)
            servers.failed("fa\u{1b}r\"", StorageError(.silent, "no answer"))
            var page = try await page(drivers)
            #expect(page.value("docker_nfsd_server_up", ["server": "near"]) == 1)
            #expect(page.value("docker_nfsd_server_outage_seconds", ["server": "near"]) == 0)
            #expect(page.value("docker_nfsd_server_up", ["server": "fa?r\""]) == 0)
            #expect(page.value("docker_nfsd_server_outage_seconds", ["server": "fa?r\""]) ?? 0 > 0)
            #expect(page.value("docker_nfsd_server_failure", ["server": "fa?r\"", "code": "silent"]) == 1)
            servers.answered("fa\u{1b}r\"", by: .mount)
            page = try await self.page(drivers)
            #expect(page.value("docker_nfsd_server_up", ["server": "fa?r\""]) == 1)
            #expect(page.series("docker_nfsd_server_failure").isEmpty)
        }
    }

    /// Docker lets any bytes pass. The page stays one that can be read, and different names stay different.
    @Test func hostileNamesStayInTheirLabels() async throws {
        let names = [
            "a\"} 1\ndocker_nfsd_volumes 99\n#", "\u{1b}[2J", "%1B[2J", "\\", "\\n", "\n", "..", "a{b=\"c\"}", "é", "e\u{301}",
            "\u{202e}evil",
            "# TYPE x counter", "plain",
        ]
        try await withDrivers { _, drivers in
            for name in names { try await drivers.nfsd.create(name, options: ["server": "nas", "path": "/a\"b\\c"]) }
            let bytes = try await drivers.metricsPage(version: "1")
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(!text.unicodeScalars.contains { $0 != "\n" && SanitizedText.isControl($0) })
            let page = try PrometheusPage(text)
            #expect(page.value("docker_nfsd_volumes") == Double(names.count))
            let labels = page.series("docker_nfsd_volume_mounted").compactMap { $0.labels["volume"] }
            #expect(Set(labels.map { Array($0.utf8) }).count == names.count)
            for name in ["\\", "\\n", "..", "a{b=\"c\"}", "# TYPE x counter", "plain"] { #expect(labels.contains(name), "\(name)") }
            #expect(labels.contains("%1B%5B2J") && labels.contains("%251B%5B2J") && labels.contains("%0A"), "\(labels)")
            #expect(page.value("docker_nfsd_volume_info", ["volume": "plain", "source": "nas:/a\"b\\c"]) == 1)
        }
    }

    @Test func whatTheKernelCountsIsInSecondsAndBytes() throws {
        var counters = ActivityCounters()
        counters.operations = 100
        counters.bytesRead = 4096
        counters.bytesWritten = 8192
        counters.reads = .init(count: 10, milliseconds: 2500)
        counters.writes = .init(count: 20, milliseconds: 50)
        counters.retransmissions = 3
        counters.majorTimeouts = 2
        counters.errors = 1
        var text = PrometheusText()
        ActivityMetrics([("web", counters), ("other", ActivityCounters())]).write(to: &text)
        let page = try PrometheusPage(String(decoding: text.bytes, as: UTF8.self))
        let expected = [
            "operations": 100, "read_bytes": 4096, "written_bytes": 8192, "reads": 10, "read_seconds": 2.5, "writes": 20,
            "write_seconds": 0.05, "retransmissions": 3, "major_timeouts": 2, "errors": 1,
        ]
        #expect(page.families.count == expected.count)
        for (name, value) in expected {
            #expect(page.value("docker_nfsd_nfs_\(name)_total", ["volume": "web"]) == value, "\(name)")
            #expect(page.value("docker_nfsd_nfs_\(name)_total", ["volume": "other"]) == 0, "\(name)")
        }
    }

    @Test func volumesBeyondTheLimitAreOnlyCounted() throws {
        let options = try VolumeOptions(["server": "nas", "path": "/a"])
        let records = try (0..<5).map { number in
            let name = try #require(VolumeName("v\(number)"))
            return VolumeRecord(VolumeDefinition(name: name, owner: "nfsd", createdAt: "2026-03-01T12:00:00Z", options: options))
        }
        var text = PrometheusText()
        VolumeMetrics(records.shuffled(), most: 3).write(to: &text)
        let page = try PrometheusPage(String(decoding: text.bytes, as: UTF8.self))
        #expect(page.value("docker_nfsd_volumes") == 5)
        #expect(page.value("docker_nfsd_volumes_left_out") == 2)
        #expect(page.series("docker_nfsd_volume_info").map { $0.labels["volume"] } == ["v0", "v1", "v2"])
        #expect(VolumeMetrics.mostVolumes == 10_000)
    }

    /// Every kind of figure is described, and only what is described is on the page.
    @Test func thePageHasWhatIsDescribed() async throws {
        try await withDrivers { _, drivers in
            try await drivers.nfsd.create("web")
            try drivers.table.mountFailed(try #require(VolumeName("web")), StorageError(.silent, "no answer"))
            let page = try await page(drivers)
            let described = Dictionary(uniqueKeysWithValues: DaemonMetric.all.map { ($0.name, $0) })
            #expect(Set(page.families.keys).isSubset(of: described.keys))
            #expect(Set(described.keys).subtracting(page.families.keys).allSatisfy(Self.isRare), "\(page.families.keys)")
            for (name, family) in page.families {
                let metric = try #require(described[name])
                #expect(family.kind == metric.kind.rawValue && family.help == metric.help)
                for series in family.series { #expect(Set(series.labels.keys).subtracting(["le"]) == Set(metric.labels), "\(series)") }
            }
        }
    }

    /// What there is only with a real server.
    private static func isRare(_ name: String) -> Bool { name.hasPrefix("docker_nfsd_nfs_") || name.hasPrefix("docker_nfsd_server_") }

    @Test func withoutTheSettingNothingIsCounted() async throws {
        try await withFixture { fixture in
            let drivers = try fixture.start()
            try await drivers.nfsd.create("web")
            #expect(drivers.nfsd.meters == nil)
            #expect(try await drivers.metricsPage(version: "1") == [])
        }
    }

    @Test(
        arguments: [
            ("none", nil), ("unix:/run/x.sock", .socket("/run/x.sock")),
            ("127.0.0.1:9323", LoopbackAddress("127.0.0.1:9323").map { .loopback($0) }),
            ("[::1]:1", LoopbackAddress("[::1]:1").map { .loopback($0) }),
        ] as [(String, MetricsAddress?)])
    func theSettingIsRead(text: String, address: MetricsAddress?) throws {
        #expect(try DaemonSettings(file: "/nonexistent", environment: [:], flags: ["metrics": text]).metrics == address)
        #expect(try DaemonSettings(file: "/nonexistent", environment: ["DOCKER_NFSD_METRICS": text]).metrics == address)
    }

    @Test(arguments: [
        "", "unix:", "unix:x.sock", "/run/x.sock", "0.0.0.0:9323", "[::]:9323", ":9323", "9323", "localhost:9323",
        "192.0.2.1:9323", "127.0.0.1:0", "127.0.0.1", "unix:/\u{7}", "tcp:127.0.0.1:9323", "unix:/" + String(repeating: "x", count: 107),
    ])
    func nothingElseIsTaken(text: String) {
        let error = #expect(throws: StorageError.self) {
            try DaemonSettings(file: "/nonexistent", environment: [:], flags: ["metrics": text])
        }
        #expect(error?.code == .badSetting)
        #expect(
            error?.description
                == "--metrics=\(text): neither none, nor unix: and an absolute path of at most 107 bytes, nor 127.0.0.1:PORT or [::1]:PORT")
    }
}
