// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import Logging
import NFSMount
import Synchronization
import SystemPackage

/// What is remembered of the share's catalogue between two looks at it.
struct CatalogueMemory: Sendable {
    /// Counts this host's own changes of the catalogue, and says at which one each volume was changed: a look that began before
    /// a change knows nothing of it.
    var changes = 0
    var changedAt: [VolumeName: Int] = [:]
    /// Of the last reading, and of one that was seen twice: in between, file systems can make two changes at one time stamp.
    var lastStamp: [UInt8]?
    var stamp: [UInt8]?
    /// Volumes that this host has marked as used.
    var marked: Set<VolumeName> = []
    /// Whether the marks that an earlier run left are among them.
    var knowsOldMarks = false
    /// Whether there was a look that succeeded.
    var isRead = false
    /// Why the last look failed.
    var trouble: String?

    mutating func changed(_ name: VolumeName) {
        changes += 1
        changedAt[name] = changes
    }
}

/// Volumes of the default share: their definitions are the share's, and this host keeps copies.
extension NFSVolumes {
    /// The catalogue that a volume is defined in; nil for a volume of this host, or of a share that is not set any more.
    func catalogue(of definition: VolumeDefinition, limit: Duration = .seconds(120)) throws(PluginError) -> ShareCatalogue? {
        guard let share = definition.share, share == settings.share else { return nil }
        return try catalogue(share, limit: limit)
    }

    /// - Parameter limit: for each access; the mount's own by default.
    func catalogue(_ share: Share, limit: Duration = .seconds(120)) throws(PluginError) -> ShareCatalogue {
        var limits = settings.limits
        limits.mount = min(limits.mount, limit)
        do throws(MountOptionError) {
            return ShareCatalogue(
                share: share,
                mounter: NFSMounter(
                    limits: limits, method: settings.mountMethod, stagingFolder: settings.runtimeDirectory.appending("staging"),
                    standIn: settings.standIn),
                options: try settings.catalogueOptions(), versions: settings.versions, host: hostName)
        } catch {
            throw PluginError("the mount options of the share cannot be used: \(error)")
        }
    }

    /// This host in the catalogue. machine-id(5).
    private var hostName: String {
        if let node = settings.node { return node }
        let bytes = (try? readWholeFile("/etc/machine-id", limit: 4096)) ?? []
        let id = bytes.prefix { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        return id.count == 32 ? String(decoding: id, as: UTF8.self) : "unnamed-host"
    }

    private var knowsSharedVolumes: Bool {
        state.withLock { state in state.records.values.contains { $0.definition.share == settings.share } }
    }

    /// Blocks; the caller holds the volume's lock.
    ///
    /// - Parameter takesAny: what is defined already will do, whatever its options.
    func createInShare(_ wanted: VolumeDefinition, takesAny: Bool) throws(PluginError) {
        let name = wanted.name
        guard let catalogue = try catalogue(of: wanted) else { throw PluginError("cannot create volume \(name): no share is set") }
        let found: VolumeDefinition
        do throws(CatalogueError) {
            found = try catalogue.create(wanted, begins: !knowsSharedVolumes)
        } catch {
            throw PluginError("cannot create volume \(name): \(error)")
        }
        guard found.driver == wanted.driver else {
            throw PluginError("volume \(name) exists under the driver name \(found.driver); use that name, or remove it there first")
        }
        let differing = wanted.options.differences(from: found.options)
        if !takesAny, !differing.isEmpty {
            let list = differing.map {
                "\($0)=\(found.options.canonical[$0] ?? "(not set)") instead of \(wanted.options.canonical[$0] ?? "(not set)")"
            }
            throw PluginError(
                "volume \(name) exists on the share \(catalogue.share.text) with other options: \(list.joined(separator: ", ")); take it as it is (give no options), or remove it first (docker volume rm \(name))"
            )
        }
        if let record = record(name), record.definition != found, !record.isFree {
            throw PluginError(
                "volume \(name) was removed on another host and is still in use on this one; stop its containers here, then try again")
        }
        do throws(SystemError) {
            if record(name)?.definition != found { try learn(found) }
        } catch {
            throw PluginError("cannot create volume \(name): its definition cannot be stored: \(error)")
        }
        state.withLock { state in state.catalogue.changed(name) }
        logger.info("volume \(name) \(found == wanted ? "created" : "found") on the share \(catalogue.share.text) under \(found.driver)")
    }

    /// Blocks; the caller holds the volume's lock, and nothing uses the volume on this host.
    func removeFromShare(_ definition: VolumeDefinition) throws(PluginError) {
        let name = definition.name
        let isTouched = definition.options.removal != .retain
        // Docker waits 60 s for all of it.
        guard let catalogue = try catalogue(of: definition, limit: .seconds(15)) else {
            if !isTouched { return }
            throw PluginError(
                "cannot remove volume \(name): it belongs to the share \(definition.share?.text ?? ""), which is not this host's any more; remove it on a host that has the share"
            )
        }
        do {
            if isTouched { try catalogue.beginRemoval(name) }
            try disposeOfData(definition)
            try catalogue.remove(name)
            if isTouched { try catalogue.forgetMarks(of: name) }
        } catch let error as DisposalError {
            // Data that are half gone are not for mounting; a repeated removal goes on.
            if error.isUnfinished { throw PluginError(error.description) }
            var text = error.description
            do throws(CatalogueError) { try catalogue.giveUpRemoval(name) } catch { text += "; and then: \(error)" }
            throw PluginError(text)
        } catch {
            throw PluginError("cannot remove volume \(name): \(error)")
        }
        state.withLock { state in
            state.catalogue.changed(name)
            _ = state.catalogue.marked.remove(name)
        }
    }

    /// Before a volume is mounted whose removal would touch its data, other hosts are told. Blocks; the caller holds the volume's lock.
    func markUse(of definition: VolumeDefinition) throws(PluginError) {
        guard definition.options.removal != .retain, let catalogue = try catalogue(of: definition) else { return }
        do throws(CatalogueError) { try catalogue.markUse(definition.name) } catch {
            let reason = "\(timestamp()): \(error)"
            change(definition.name) { $0.lastFailure = reason }
            throw PluginError("cannot mount volume \(definition.name): \(error)")
        }
        state.withLock { state in _ = state.catalogue.marked.insert(definition.name) }
    }
}
