// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import KernelMount
import PrometheusMetrics
import Volumes

/// The volumes of this host as series.
struct VolumeMetrics {
    /// With series of their own. More would make a page that takes longer than a scrape may.
    static let mostVolumes = 10_000

    private let records: [VolumeRecord]
    /// Those with series of their own, by their names' order.
    private let shown: [(label: String, record: VolumeRecord)]

    /// - Parameter most: how many volumes have series of their own.
    init(_ records: [VolumeRecord], most: Int = mostVolumes) {
        self.records = records
        shown = records.sorted { $0.definition.name.fileName < $1.definition.name.fileName }.prefix(most)
            .map { (Self.label($0.definition.name), $0) }
    }

    /// Those that are mounted, of those with series of their own.
    var mounted: [(label: String, name: VolumeName)] { shown.filter(\.record.isMounted).map { ($0.label, $0.record.definition.name) } }

    /// A name as it is, unless it could do something to a terminal: then its encoded form. Different names stay different.
    static func label(_ name: VolumeName) -> String {
        SanitizedText.hasControl(name.text) || name.text.utf8.contains(UInt8(ascii: "%")) ? name.fileName : name.text
    }

    func write(to page: inout PrometheusText) {
        for (metric, value) in [
            (DaemonMetric.volumes, records.count),
            (DaemonMetric.mountedVolumes, records.count(where: \.isMounted)),
            (DaemonMetric.busyVolumes, records.count(where: \.isBusy)),
            (DaemonMetric.references, records.reduce(0) { $0 + $1.references.total }),
            (DaemonMetric.volumesLeftOut, records.count - shown.count),
        ] {
            page.begin(metric)
            page.sample(value)
        }
        if shown.isEmpty { return }
        page.begin(DaemonMetric.volumeInfo)
        for (label, record) in shown {
            let source = record.definition.options.source
            let text = SanitizedText.withoutControls(source.text)
            page.sample(1, [label, record.definition.owner, ServerMetrics.label(source.serverKey), text])
        }
        writeEach(DaemonMetric.volumeMounted, to: &page) { $0.isMounted ? 1 : 0 }
        writeEach(DaemonMetric.volumeReferences, to: &page) { $0.references.total }
        writeEach(DaemonMetric.volumeBusy, to: &page) { $0.isBusy ? 1 : 0 }
        let failed = shown.compactMap { label, record in record.lastFailure.map { (label, $0.code) } }
        if failed.isEmpty { return }
        page.begin(DaemonMetric.volumeMountFailed)
        for (label, code) in failed { page.sample(1, [label, "\(code)"]) }
    }

    private func writeEach(_ metric: MetricDescription, to page: inout PrometheusText, _ value: (VolumeRecord) -> Int) {
        page.begin(metric)
        for (label, record) in shown { page.sample(value(record), [label]) }
    }
}
