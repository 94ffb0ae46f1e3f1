// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// The mounts of an instance's containers that are id-mapped: a change of the files' owners would be seen through them.
struct MappedMounts: Sendable {
    private let files: ContainerFiles

    /// - Parameter state: the instance's folder.
    init(in state: FilePath) { files = ContainerFiles(in: state) }

    /// What a container's file has of such a mount, besides its maps.
    static func record(of location: TreeLocation) -> JSONObject {
        ["device": .string(location.device), "path": .string(location.path)]
    }

    /// - Parameter other: a container whose mounts do not count.
    /// - Throws: `PluginError` if a container has such a mount of a tree that has something in common with this one, or if that cannot be
    ///   told.
    func check(_ wanted: KeptTransfer, besides other: String? = nil) throws(PluginError) {
        if !wanted.isGiven { return }
        for id in try files.ids() where other?.hasSameBytes(as: id) != true {
            guard let container = try files.read(id), let mount = container.mounts.first(where: { Self.isMapped($0, wanted.location) })
            else { continue }
            if wanted.holders.first?.id.hasSameBytes(as: id) == true {
                throw PluginError(
                    "\(wanted.source) has files in common with \(mount.source), which is id-mapped for the same container at \(mount.destination); take mode=transfer for both"
                )
            }
            let name = container.name.isEmpty ? String(id.prefix(12)) : container.name
            let tree =
                wanted.source.hasSameBytes(as: mount.source)
                ? wanted.source : "\(wanted.source) has files in common with \(mount.source), which"
            throw PluginError(
                "\(tree) is id-mapped for container \(name), which would see the other owner; run both with mode=transfer, or one after the other"
            )
        }
    }

    private static func isMapped(_ mount: KeptMount, _ location: TreeLocation) -> Bool {
        guard let device = mount.record["device"]?.stringValue, let path = mount.record["path"]?.stringValue else { return false }
        return TreeLocation(device: device, path: path).relation(to: location) != .apart
    }
}
