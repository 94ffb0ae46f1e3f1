// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import PrometheusMetrics
import Volumes

/// What this host knows of servers, as series. None is asked.
struct ServerMetrics {
    private let states: [(label: String, state: ServerState)]

    init(_ states: [String: ServerState]) {
        // Two keys that differ in controls alone would be one series twice.
        var labels = Set<[UInt8]>()
        self.states = states.sorted { $0.key < $1.key }.map { (Self.label($0.key), $0.value) }
            .filter { labels.insert(Array($0.0.utf8)).inserted }
    }

    /// The value of the label `server` for a server's key.
    static func label(_ server: String) -> String { SanitizedText.withoutControls(server) }

    func write(to page: inout PrometheusText) {
        if states.isEmpty { return }
        page.begin(DaemonMetric.serverUp)
        for (label, state) in states { page.sample(state.outage == nil ? 1 : 0, [label]) }
        page.begin(DaemonMetric.serverOutage)
        for (label, state) in states { page.sample(state.outage.map { Self.seconds(.now - $0.began) } ?? 0, [label]) }
        let away = states.compactMap { label, state in state.outage.map { (label, $0.code) } }
        if away.isEmpty { return }
        page.begin(DaemonMetric.serverFailure)
        for (label, code) in away { page.sample(1, [label, "\(code)"]) }
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}
