// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerVolumes
import Foundation
import PrometheusMetrics
import TestSupport
import Testing

/// The metrics are in `DaemonMetric.all` and in Docs/metrics.md. These tests hold them together.
struct MetricsDocumentTests {
    @Test func thePageOfTheManualHasEachMetric() throws {
        let text = try Document("Docs/metrics.md").section("Metrics").joined(separator: "\n")
        let listed = text.matches(of: #/\n- `([a-z_]+)` \((counter|gauge|histogram)((?:[,;] *`[a-z]+`)*)\): /#.anchorsMatchLineEndings())
            .map { match in
                let labels = match.output.3.matches(of: /`([a-z]+)`/).map { String($0.output.1) }
                return "\(match.output.1) \(match.output.2) \(labels)"
            }
        #expect(listed.sorted() == DaemonMetric.all.map { "\($0.name) \($0.kind.rawValue) \($0.labels)" }.sorted())
    }

    /// prometheus.io/docs/practices/naming
    @Test func namesAreAsPrometheusWantsThem() {
        for metric in DaemonMetric.all {
            #expect(metric.name.wholeMatch(of: /(docker_nfsd|process)_[a-z_]+[a-z]/) != nil, "\(metric.name)")
            #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter), "\(metric.name)")
            #expect(metric.help.hasSuffix(".") && !metric.help.contains("\n") && metric.help.utf8.count < 120, "\(metric.help)")
            #expect(metric.buckets.isEmpty == (metric.kind != .histogram) && metric.buckets == metric.buckets.sorted(), "\(metric.name)")
            #expect(Set(metric.labels).isDisjoint(with: ["le", "quantile", "job", "instance"]), "\(metric.labels)")
        }
        #expect(Set(DaemonMetric.all.map(\.name)).count == DaemonMetric.all.count)
    }

    /// What an expression calls a metric is one, with labels that it has.
    private func check(_ expression: String, in place: String) {
        let names = Dictionary(uniqueKeysWithValues: DaemonMetric.all.map { ($0.name, $0) })
        let found = expression.matches(of: /\b((?:docker_nfsd|process)_[a-z_]+)/).map { String($0.output.1) }
        for name in found {
            let metric = names[name.replacing(/_(bucket|sum|count)$/, with: "")] ?? names[name]
            #expect(metric != nil, "\(place): there is no metric \(name)")
        }
        for match in expression.matches(of: /\b((?:docker_nfsd|process)_[a-z_]+)\{([^}]*)\}/) {
            let metric = names[String(match.output.1).replacing(/_(bucket|sum|count)$/, with: "")]
            for label in match.output.2.matches(of: /([a-z]+)=?[=!~]/).map({ String($0.output.1) })
            where label != "instance" && label != "job" {
                #expect(metric?.labels.contains(label) == true, "\(place): \(match.output.1) has no label \(label)")
            }
        }
    }

    @Test func theBoardShowsMetricsThatThereAre() throws {
        let board = try Board()
        #expect(board.panels.count > 15 && board.variables == ["datasource", "instance", "volume"])
        for panel in board.panels {
            #expect(["stat", "timeseries", "table"].contains(panel.kind) && !panel.title.isEmpty && !panel.expressions.isEmpty)
            for expression in panel.expressions {
                #expect(expression.contains("docker_nfsd_") || expression.contains("process_"), "\(panel.title)")
                check(expression, in: panel.title)
                let used = expression.matches(of: /\$([a-z_]+)/).map { String($0.output.1) }
                #expect(Set(used).isSubset(of: board.variables + ["__rate_interval"]), "\(panel.title): \(used)")
            }
        }
        for query in board.variableQueries { check(query, in: "variables") }
    }

    @Test func noPanelOfTheBoardCoversAnother() throws {
        var taken: [Int: String] = [:]
        for panel in try Board().panels {
            let (x, y, width, height) = panel.place
            #expect(x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= 24, "\(panel.title)")
            for row in y..<(y + height) {
                for column in x..<(x + width) {
                    let other = taken.updateValue(panel.title, forKey: row * 24 + column)
                    #expect(other == nil, "\(panel.title) covers \(other ?? "")")
                }
            }
        }
    }

    @Test func alertsAreOfMetricsThatThereAreAndAreExplained() throws {
        let rules = try Document("Packaging/prometheus/docker-nfsd.rules.yml").text
        let alerts = rules.matches(of: /- alert: (\S+)\n +expr: ((?s).*?)\n +(?:for|labels):/)
        #expect(alerts.count == rules.matches(of: /alert:/).count && alerts.count >= 6)
        for alert in alerts {
            check(String(alert.output.2), in: String(alert.output.1))
            #expect(alert.output.2.contains("docker_nfsd_") || alert.output.2.contains(#"up{job="docker-nfsd"}"#))
        }
        let listed = Entry.all(in: try Document("Docs/metrics.md").section("Alerts")).flatMap(\.names)
        #expect(listed == alerts.map { String($0.output.1) })
    }
}
