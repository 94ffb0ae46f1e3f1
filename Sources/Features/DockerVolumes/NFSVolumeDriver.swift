// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import KernelMount
import Volumes

/// The volumes of this host under one of the driver's names, as the plugin server calls it.
public struct NFSVolumeDriver: VolumeDriver {
    let name: String
    let volumes: HostVolumes
    let engines: EngineWatch
    public let scope: VolumeScope

    public func get(_ name: String) throws(PluginError) -> Volume {
        guard let view = volumes.shown(name, owner: self.name) else { throw PluginError("no such volume: \(name)") }
        return Volume(view)
    }

    public func list() -> [Volume] { volumes.shownVolumes(owner: name).map(Volume.init) }

    public func path(of name: String) throws(PluginError) -> String { try get(name).mountpoint }

    public func activated() { engines.activated(name) }

    public func create(_ name: String, options: [String: String]) async throws(PluginError) {
        do throws(StorageError) { try await volumes.create(name, options: options, owner: self.name) } catch { throw PluginError(error) }
    }

    public func remove(_ name: String) async throws(PluginError) {
        do throws(StorageError) { try await volumes.remove(name, owner: self.name) } catch { throw PluginError(error) }
    }

    public func mount(_ name: String, id: String) async throws(PluginError) -> String {
        do throws(StorageError) { return try await volumes.mount(name, id: id, owner: self.name) } catch { throw PluginError(error) }
    }

    public func mountAnswered(_ name: String, id: String) async { await volumes.mountAnswered(name, id: id, owner: self.name) }

    public func unmount(_ name: String, id: String) async throws(PluginError) {
        do throws(StorageError) { try await volumes.unmount(name, id: id, owner: self.name) } catch { throw PluginError(error) }
    }
}

extension NFSVolumeDriver: VolumeAdministration {
    public func set(_ name: String, _ changes: [String: String]) async throws(PluginError) -> [VolumeOptionChange] {
        do throws(StorageError) {
            return try await volumes.change(name, changes).map { VolumeOptionChange(name: $0.name, old: $0.old, new: $0.new) }
        } catch {
            throw PluginError(error)
        }
    }
}

extension Volume {
    fileprivate init(_ view: VolumeView) {
        self.init(name: view.name, mountpoint: view.mountpoint, createdAt: view.createdAt, status: view.status)
    }
}

extension PluginError {
    /// The one place where an error becomes text for Docker.
    fileprivate init(_ error: StorageError) { self.init(error.description) }
}
