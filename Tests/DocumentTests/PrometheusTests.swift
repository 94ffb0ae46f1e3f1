// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import SystemPackage
import TestSupport
import Testing

/// The metrics as the real Prometheus reads them, and the alerts as its tools do.
@Suite(.timeLimit(.minutes(10)), .needs(.prometheus)) struct PrometheusTests {
    private static let rules = "\(Repository.root)/Packaging/prometheus/docker-nfsd.rules.yml"
    private static let ruleTests = "\(Repository.root)/Tests/Fixtures/prometheus/docker-nfsd.rules.test.yml"

    @Test func thePageIsWithoutFaultForPromtool() async throws {
        try await RunningDaemon.with(metrics: "socket") { daemon in
            for name in ["web", #"a\"b\\c\nd"#, #"\u001b[2J"#, "é"] {
                try await daemon.call("VolumeDriver.Create", #"{"Name":"\#(name)","Opts":{"server":"nas","path":"/a\"b"}}"#)
            }
            let page = try await daemon.text()
            #expect(page.contains("docker_nfsd_volumes 4\n"))
            let result = try await command(["promtool", "check", "metrics"], input: page)
            #expect(result.status == 0 && result.output.isEmpty, "\(result)")
            let broken = try await command(["promtool", "check", "metrics"], input: page + "docker_nfsd_other{volume=\"a\"b\"} 4\n")
            #expect(broken.status != 0, "a label that is not escaped is told")
        }
    }

    @Test func theAlertsAreWithoutFault() async throws {
        let result = try await command(["promtool", "check", "rules", "--lint=all", "--lint-fatal", Self.rules])
        #expect(result.status == 0 && result.output.contains("SUCCESS: "), "\(result)")
    }

    /// Each alert comes when it should, and none comes when it should not.
    @Test func eachAlertIsRaised() async throws {
        let result = try await command(["promtool", "test", "rules", Self.ruleTests])
        #expect(result.status == 0 && result.output.contains("SUCCESS"), "\(result)")
        let alerts = try Document("Packaging/prometheus/docker-nfsd.rules.yml").text.matches(of: /alert: (\S+)/).map { String($0.output.1) }
        let tests = try Document("Tests/Fixtures/prometheus/docker-nfsd.rules.test.yml").text
        for alert in alerts {
            let raised = tests.matches(of: /alertname: (\S+)\n *exp_alerts:/).contains { $0.output.1 == alert }
            let quiet = tests.matches(of: /alertname: (\S+)\n(?! *exp_alerts:)/).contains { $0.output.1 == alert }
            #expect(raised && quiet, "\(alert) is not tested both ways")
        }
    }

    /// Scraped by the configuration of Docs/metrics.md, with the alerts loaded and each expression of the board answered.
    @Test func aPrometheusReadsTheDaemon() async throws {
        let port = try RunningDaemon.freePort()
        try await RunningDaemon.with(metrics: "127.0.0.1:\(port)") { daemon in
            try await daemon.call("VolumeDriver.Create", #"{"Name":"a\"b","Opts":{"server":"nas","path":"/export"}}"#)
            try await RunningPrometheus.with(scraping: port, rules: Self.rules, in: daemon.folder.appending("prometheus")) { prometheus in
                try await eventually("it has scraped", within: .seconds(60)) {
                    try await prometheus.query("docker_nfsd_volumes") == ["1"]
                }
                #expect(try await prometheus.query(#"up{job="docker-nfsd"}"#) == ["1"])
                #expect(try await prometheus.query(#"docker_nfsd_volume_mounted{volume="a\"b"}"#) == ["0"])
                #expect(try await prometheus.query(#"docker_nfsd_calls_total{call="create",code="ok"}"#) == ["1"])
                #expect(try await prometheus.query("docker_nfsd_build_info * on (instance) group_left () docker_nfsd_volumes") == ["1"])
                let rules = try await prometheus.get("/api/v1/rules")
                let alerts = try Document("Packaging/prometheus/docker-nfsd.rules.yml").text.matches(of: /alert: (\S+)/)
                for alert in alerts { #expect(rules.contains(#""name":"\#(alert.output.1)""#), "\(alert.output.1)") }
                for expression in try Board().expressions { _ = try await prometheus.query(expression) }
            }
        }
    }
}

/// A Prometheus that scrapes one port of this host each second.
private struct RunningPrometheus: Sendable {
    let address: String

    static func with(scraping port: UInt16, rules: String, in folder: FilePath, _ body: (RunningPrometheus) async throws -> Void)
        async throws
    {
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        let example = try #require(try Document("Docs/metrics.md").code("yaml").first { $0.contains("scrape_configs:") })
        let configuration =
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n"
            + example.replacing("127.0.0.1:9323", with: "127.0.0.1:\(port)").replacing(/\/usr\S*\.rules\.yml/, with: rules)
        try #require(configuration.contains(":\(port)\"") && configuration.contains(rules))
        let file = folder.appending("prometheus.yml").string
        try configuration.write(toFile: file, atomically: true, encoding: .utf8)
        let check = try await command(["promtool", "check", "config", file])
        try #require(check.status == 0, "\(check)")

        let prometheus = RunningPrometheus(address: "127.0.0.1:\(try RunningDaemon.freePort())")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/prometheus")
        process.arguments = [
            "--config.file=\(file)", "--storage.tsdb.path=\(folder.appending("data"))", "--web.listen-address=\(prometheus.address)",
        ]
        let log = folder.appending("log").string
        try Data().write(to: URL(fileURLWithPath: log))
        process.standardError = FileHandle(forWritingAtPath: log)
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        do {
            try await eventually("Prometheus is ready", within: .seconds(60)) {
                try await command(["curl", "-sf", "http://\(prometheus.address)/-/ready"]).status == 0
            }
            try await body(prometheus)
        } catch {
            Issue.record("\(error): \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
        }
    }

    func get(_ path: String, _ words: [String] = []) async throws -> String {
        try await command(["curl", "-sS", "--max-time", "60"] + words + ["http://\(address)\(path)"]).output
    }

    /// The values of an instant query, in Prometheus' order.
    func query(_ expression: String) async throws -> [String] {
        let text = try await get("/api/v1/query", ["--data-urlencode", "query=\(expression)"])
        let answer = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        guard answer["status"] as? String == "success", let data = answer["data"] as? [String: Any],
            let result = data["result"] as? [[String: Any]]
        else { throw Trouble("\(expression): \(text)") }
        return result.compactMap { ($0["value"] as? [Any])?.last as? String }
    }
}
