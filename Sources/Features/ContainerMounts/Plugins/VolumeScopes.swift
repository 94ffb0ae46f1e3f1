// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import PluginClient
import SystemPackage

/// What volume drivers say of the reach of their volumes, which no file of Docker's has.
struct VolumeScopes {
    let loader: PluginLoader
    let kept: KeptAnswers

    init(places: RuntimePlaces, loader: PluginLoader) {
        self.loader = loader
        kept = KeptAnswers(FilePath(places.state).appending("volume-drivers"), patience: loader.timeout)
    }

    /// Asks the driver, once in a run of it. Nil if it does not say, or cannot be asked: a managed one is in a place of its own.
    func scope(of driver: String) -> MountPoint.Scope? {
        do throws(PluginClientError) {
            let endpoint = try loader.discovery.find(driver)
            let client = PluginClient(endpoint, timeout: loader.timeout)
            return try kept.properties(of: endpoint) { () throws(PluginClientError) in
                try client.answer(VolumeMethod.capabilities.rawValue, Array("{}".utf8))
            } read: { (answer) throws(PluginClientError) in
                guard let scope = (try? JSONValue(parsing: answer))?["Capabilities"]?["Scope"]?.stringValue else {
                    throw PluginClientError(.unclear, plugin: driver, "volume driver \(driver) does not say the scope of its volumes")
                }
                return MountPoint.Scope(rawValue: scope)
            }
        } catch {
            return nil
        }
    }
}
