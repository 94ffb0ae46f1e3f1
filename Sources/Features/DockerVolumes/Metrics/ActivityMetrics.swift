// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import PrometheusMetrics

/// What the kernel has counted for mounted volumes, as series. They begin anew with each mount, as Prometheus expects of counters.
struct ActivityMetrics {
    private let volumes: [(label: String, counters: ActivityCounters)]

    init(_ volumes: [(label: String, counters: ActivityCounters)]) { self.volumes = volumes }

    func write(to page: inout PrometheusText) {
        if volumes.isEmpty { return }
        write(DaemonMetric.operations, to: &page) { Double($0.operations) }
        write(DaemonMetric.readBytes, to: &page) { Double($0.bytesRead) }
        write(DaemonMetric.writtenBytes, to: &page) { Double($0.bytesWritten) }
        write(DaemonMetric.reads, to: &page) { Double($0.reads.count) }
        write(DaemonMetric.readTime, to: &page) { Double($0.reads.milliseconds) / 1000 }
        write(DaemonMetric.writes, to: &page) { Double($0.writes.count) }
        write(DaemonMetric.writeTime, to: &page) { Double($0.writes.milliseconds) / 1000 }
        write(DaemonMetric.retransmissions, to: &page) { Double($0.retransmissions) }
        write(DaemonMetric.majorTimeouts, to: &page) { Double($0.majorTimeouts) }
        write(DaemonMetric.errors, to: &page) { Double($0.errors) }
    }

    private func write(_ metric: MetricDescription, to page: inout PrometheusText, _ value: (ActivityCounters) -> Double) {
        page.begin(metric)
        for (label, counters) in volumes { page.sample(value(counters), [label]) }
    }
}
