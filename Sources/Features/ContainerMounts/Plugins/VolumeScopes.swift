// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import PluginClient
import SystemPackage

/// The scopes of volumes, which are not in Docker's files. Each volume driver is asked for its own.
struct VolumeScopes {
    let loader: PluginLoader
    let cache: PluginPropertiesCache

    init(places: RuntimePlaces, loader: PluginLoader) {
        self.loader = loader
        cache = PluginPropertiesCache(FilePath(places.state).appending("volume-drivers"), patience: loader.timeout)
    }

    /// Asks the driver once while its process lives. A driver that does not answer counts as local, as for Docker.
    ///
    /// - Returns: nil if the driver is not found on this host. Managed plugins are not found, since they have sockets of their own.
    func scope(of driver: String) -> MountPoint.Scope? {
        guard let endpoint = try? loader.discovery.find(driver) else { return nil }
        do throws(PluginClientError) {
            var client = PluginClient(endpoint, timeout: loader.timeout)
            client.callLog = loader.callLog
            return try cache.properties(of: endpoint) { () throws(PluginClientError) in
                try client.answer(VolumeMethod.capabilities.rawValue, Array("{}".utf8))
            } read: { (answer) throws(PluginClientError) in
                guard let scope = try? JSONObjectReader(parsing: answer).object("Capabilities").textIfPresent("Scope") else {
                    throw PluginClientError(.unclear, plugin: driver, "volume driver \(driver) does not say the scope of its volumes")
                }
                return MountPoint.Scope(rawValue: scope)
            }
        } catch {
            return .local
        }
    }
}
