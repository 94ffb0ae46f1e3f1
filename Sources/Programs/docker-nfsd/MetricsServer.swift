// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerVolumes
import Logging
import PluginServer

extension PluginServer {
    /// A server for metrics alone, with an event loop of its own, so that a scrape never keeps an engine waiting.
    static func metrics(of volumes: VolumeDrivers, at address: MetricsAddress, logger: Logger) -> PluginServer {
        let page = PageService(path: "/metrics", mediaType: VolumeDrivers.metricsMediaType) {
            try await volumes.metricsPage(version: version)
        }
        let socket: PluginListener.Socket =
            switch address {
            case .socket(let path): .path(path)
            case .loopback(let address): .loopback(address)
            }
        var limits = ServerLimits()
        limits.bodySize = 4 << 10
        limits.headerSize = 16 << 10
        limits.connections = 16
        limits.requestArrival = .seconds(10)
        limits.idle = .seconds(120)
        limits.stop = .seconds(1)
        return PluginServer(listeners: [PluginListener(name: "metrics", socket: socket, service: page)], logger: logger, limits: limits)
    }
}
