// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import PluginClient
import SystemPackage

/// What volume drivers say of the reach of their volumes, which no file of Docker's has.
struct VolumeScopes {
    let loader: PluginLoader
    let cache: PluginPropertiesCache

    init(places: RuntimePlaces, loader: PluginLoader) {
        self.loader = loader
        cache = PluginPropertiesCache(FilePath(places.state).appending("volume-drivers"), patience: loader.timeout)
    }

    /// Asks the driver, once in a run of it. One that does not say has local volumes, as for Docker.
    ///
    /// - Returns: nil if it is not among the plugins of this host; managed ones are in a place of their own.
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
