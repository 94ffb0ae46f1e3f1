// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import Synchronization
import SystemPackage

/// The tmpfs mounts that containers share because they use one volume.
///
/// Each container has a mount of its own of the one tmpfs, so nothing is counted: the last is the one beside which the mount table has no
/// other of the same file system. A kill at any moment, and emergency actions, leave that right.
final class SharedMemory: Sendable {
    private let files: ContainerFiles
    private let lock = Mutex(())

    init(of instance: PluginInstance) { files = ContainerFiles(in: instance.state) }

    /// What says in a mount's record which volume it is: the name alone would be the same for the volumes of two engines.
    static func mark(_ mount: MountPoint) -> JSONValue { [.string(mount.volume.name), .string(mount.source)] }

    static func isShared(_ mount: KeptMount) -> Bool { mount.record["volume"] != nil }

    /// Runs the body while no other mount of a volume is made or taken away. Mounts that are not shared wait for nobody.
    func exclusively(for mount: KeptMount, _ body: () throws(PluginError) -> Void) throws(PluginError) {
        if !Self.isShared(mount) { return try body() }
        try lock.withLock { (_) throws(PluginError) in try body() }
    }

    /// Where the same volume is in memory already.
    ///
    /// - Throws: `PluginError` if it cannot be told, or it is not what this mount's options ask for.
    func peer(of mount: KeptMount) throws(PluginError) -> String? {
        guard Self.isShared(mount) else { return nil }
        let table: MountTable
        do throws(SystemError) { table = try MountTable() } catch { throw PluginError("cannot tell what is in memory: \(error)") }
        for id in try files.ids() {
            for other in try files.read(id)?.mounts ?? []
            where other.record["volume"] == mount.record["volume"] && !other.folder.hasSameBytes(as: mount.folder) {
                guard let entry = table.topmost(at: other.folder), Self.isMemory(entry) else { continue }
                var options = try NoSwapOptions(mount.options)
                // The kernel shows the host's numbers.
                if options.uid != nil { options.uid = mount.record["uid"]?.stringValue }
                if options.gid != nil { options.gid = mount.record["gid"]?.stringValue }
                let differences = options.differences(from: entry)
                if differences.isEmpty { return other.folder }
                throw PluginError(
                    "\(mount.destination): other containers have this volume in memory already, with \(differences.joined(separator: ",")); stop them, say the same, or scope=container"
                )
            }
        }
        return nil
    }

    /// Whether another mount shows the same file system.
    func hasPeers(_ entry: MountTableEntry) throws(SystemError) -> Bool {
        let prefix = files.folder.string + "/"
        return try MountTable().entries.contains { other in
            other.device.hasSameBytes(as: entry.device) && other.mountPoint.hasBytePrefix(prefix)
                && !other.mountPoint.hasSameBytes(as: entry.mountPoint)
        }
    }

    static func isMemory(_ entry: MountTableEntry) -> Bool { ["tmpfs", "ramfs"].contains(entry.fileSystem) }
}
