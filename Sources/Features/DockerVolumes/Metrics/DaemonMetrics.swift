// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import PrometheusMetrics
import Volumes

/// The page of metrics: what was counted since the start, and what memory and /proc say at this moment. No mount and no server is touched.
final class DaemonMetrics: Sendable {
    let calls: CallMeters
    private let registry: MetricsRegistry
    private let startTime: Double?

    init() {
        registry = MetricsRegistry(DaemonMetric.counted)
        calls = CallMeters(factory: registry)
        // Once, because it would change whenever the clock is set.
        startTime = ProcessUsage.startTime
    }

    /// Blocks on files of /proc.
    ///
    /// - Throws: `SystemError` if they cannot be read.
    func page(_ state: VolumeState, version: String) throws(SystemError) -> [UInt8] {
        var text = PrometheusText()
        text.begin(DaemonMetric.build)
        text.sample(1, [version])
        try writeProcess(to: &text)
        for metric in DaemonMetric.counted { registry.write(metric, to: &text) }
        let volumes = VolumeMetrics(state.table.records)
        volumes.write(to: &text)
        ServerMetrics(state.servers.all.filter { Self.isRecent($0.value) }).write(to: &text)
        let activity = try state.settings.kind.activity()
        ActivityMetrics(volumes.mounted.compactMap { label, name in activity[state.places.place(of: name)].map { (label, $0) } })
            .write(to: &text)
        return text.bytes
    }

    /// Servers of mounted volumes are asked all the time. One of which nothing was heard for long may be a name that was mistyped once.
    private static func isRecent(_ state: ServerState) -> Bool {
        state.outage.map { ContinuousClock.now - $0.lastFailed < .seconds(600) } ?? true
    }

    private func writeProcess(to text: inout PrometheusText) throws(SystemError) {
        let usage = try ProcessUsage()
        if let startTime {
            text.begin(DaemonMetric.startTime)
            text.sample(startTime)
        }
        text.begin(DaemonMetric.processorTime)
        text.sample(usage.processorTime)
        text.begin(DaemonMetric.residentMemory)
        text.sample(usage.residentMemory)
        text.begin(DaemonMetric.descriptors)
        text.sample(usage.descriptors)
        text.begin(DaemonMetric.descriptorLimit)
        text.sample(usage.descriptorLimit)
    }
}
