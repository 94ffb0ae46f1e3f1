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
    /// Is told of mounts that fail; nil if nobody is to be told.
    let failedStarts: FailedStarts?
    /// nil if nothing is counted.
    let meters: CallMeters?

    public func get(_ name: String) throws(PluginError) -> Volume { Volume(try shown(name, for: .get)) }

    public func path(of name: String) throws(PluginError) -> String { try shown(name, for: .path).mountpoint }

    private func shown(_ name: String, for call: CallMeters.Call) throws(PluginError) -> VolumeView {
        let running = meters?.began(call)
        guard let view = volumes.shown(name, owner: self.name) else {
            ended(running, failure: .noSuchVolume)
            throw PluginError("no such volume: \(name)")
        }
        ended(running)
        return view
    }

    public func list() -> [Volume] {
        let running = meters?.began(.list)
        defer { ended(running) }
        return volumes.shownVolumes(owner: name).map(Volume.init)
    }

    public func activated() {
        let running = meters?.began(.activate)
        engines.activated(name)
        ended(running)
    }

    public func create(_ name: String, options: [String: String]) async throws(PluginError) {
        try await counted(.create) { () async throws(StorageError) in
            try await volumes.create(name, options: options, owner: self.name)
        }
    }

    public func remove(_ name: String) async throws(PluginError) {
        try await counted(.remove) { () async throws(StorageError) in try await volumes.remove(name, owner: self.name) }
    }

    public func mount(_ name: String, id: String) async throws(PluginError) -> String {
        try await counted(.mount) { () async throws(StorageError) in
            do throws(StorageError) { return try await volumes.mount(name, id: id, owner: self.name) } catch {
                failedStarts?.mountFailed(name, owner: self.name, error)
                throw error
            }
        }
    }

    public func mountAnswered(_ name: String, id: String) async { await volumes.mountAnswered(name, id: id, owner: self.name) }

    public func unmount(_ name: String, id: String) async throws(PluginError) {
        try await counted(.unmount) { () async throws(StorageError) in try await volumes.unmount(name, id: id, owner: self.name) }
    }

    public func takeBackMount(_ name: String, id: String) async throws(PluginError) {
        try await counted(.unmount) { () async throws(StorageError) in
            try await volumes.unmount(name, id: id, owner: self.name, wasAnswered: false)
        }
    }

    private func counted<Value>(
        _ call: CallMeters.Call, _ body: () async throws(StorageError) -> Value
    ) async throws(PluginError) -> Value {
        let running = meters?.began(call)
        do throws(StorageError) {
            let value = try await body()
            ended(running)
            return value
        } catch {
            ended(running, failure: error.code)
            throw PluginError(error)
        }
    }

    private func ended(_ running: CallMeters.Running?, failure: StorageError.Code? = nil) {
        if let running { meters?.ended(running, failure: failure) }
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
