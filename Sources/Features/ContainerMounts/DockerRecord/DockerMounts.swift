// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import OCIRuntime

/// Brings Docker's record of a container's mounts together with the mounts of its config.json.
enum DockerMounts {
    static func interposed(
        _ record: DockerRecordFile, _ configuration: OCIConfiguration, bundle: String, scope: (String) -> MountPoint.Scope?
    ) throws(EngineRecordError) -> [InterposedMount] {
        var pairs: [(index: Int, mount: DockerContainer.Mount)] = []
        for mount in record.container.mounts where mount.isInterposed {
            let indices = configuration.mounts.indices.filter {
                LexicalPath.areSame(configuration.mounts[$0].cleanedDestination, mount.cleanedDestination)
            }
            // With --tmpfs at the same place, Docker leaves the other mount out.
            if indices.isEmpty { throw .disagreement(mount) }
            for index in indices where configuration.mounts[index].isBind { pairs.append((index, mount)) }
        }
        if pairs.isEmpty && !configuration.mounts.contains(where: TmpfsMounts.isAsked) { return [] }
        pairs.sort { $0.index < $1.index }

        let volumes = try DockerVolumes(pairs.map(\.mount), folder: record.folder)
        let container = MountPoint.Container(labels: record.container.labels, name: record.container.name)
        let image = MountPoint.Image(
            labels: try DockerImages.labels(of: record.container, folder: record.folder), name: record.container.imageName,
            id: record.container.image)
        var scopes: [(driver: String, scope: MountPoint.Scope)] = [("local", .local)]
        return pairs.map { pair in
            let mount = pair.mount
            let effectiveSource = bindSource(configuration.mounts[pair.index], bundle: bundle)
            var mountPoint = MountPoint(
                type: mount.isVolume ? .volume : MountPoint.MountType(rawValue: mount.type),
                source: mount.source.isEmpty ? effectiveSource : mount.source, destination: mount.cleanedDestination,
                readOnly: mount.isReadOnly, mode: mount.mode, propagation: MountPoint.Propagation(rawValue: mount.propagation),
                createSourceIfMissing: mount.createsSource, consistency: mount.consistency, container: container, image: image)
            mountPoint.effectiveSource = effectiveSource
            if mount.isVolume {
                if !scopes.contains(where: { $0.driver == mount.driver }) {
                    scopes.append((mount.driver, scope(mount.driver) ?? .unspecified))
                }
                let volume = volumes.volume(mount.name)
                mountPoint.volume = MountPoint.Volume(
                    name: mount.name, driver: mount.driver, id: mount.mountID, labels: volume.labels, driverOptions: mount.driverOptions,
                    scope: scopes.first { $0.driver == mount.driver }?.scope ?? .unspecified, options: volume.options)
            }
            return InterposedMount(configurationIndex: pair.index, mountPoint: mountPoint)
        } + TmpfsMounts.interposed(configuration, container: container, image: image)
    }
}

extension EngineRecordError {
    fileprivate static func disagreement(_ mount: DockerContainer.Mount) -> EngineRecordError {
        EngineRecordError(
            "Docker's record has a \(mount.type) mount at \(JSONValue.string(mount.cleanedDestination)), and the bundle's config.json has "
                + "none there, so it cannot be told which mount plugins must be asked about; please report this with Docker's version")
    }
}
