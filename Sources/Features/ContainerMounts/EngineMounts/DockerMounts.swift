// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import DockerPluginAPI
import LexicalPaths
import OCIRuntime

/// Matches the mounts in Docker's file of a container with the mounts of its config.json.
enum DockerMounts {
    /// - Parameters:
    ///   - sources: of the configuration.
    ///   - initPath: `init-path` of daemon.json.
    static func interposed(
        _ file: DockerContainerFile, _ configuration: OCIConfiguration, _ sources: [HostSource], initPath: String?,
        scope: (String) -> MountPoint.Scope?
    ) throws(EngineFilesError) -> [InterposedMount] {
        if !file.container.hasMounts {
            throw EngineFilesError(
                "\(file.folder)/containers/\(file.container.id)/config.v2.json",
                "it has no MountPoints, so it cannot be told which mounts plugins must be asked about")
        }
        let pairs = try pairs(file, configuration, sources, initPath: initPath)
        if pairs.isEmpty && !configuration.mounts.contains(where: TmpfsMounts.isAsked) { return [] }

        let volumes = try DockerVolumes(pairs.map(\.mount).filter(\.isVolume).map { ($0.name, $0.driver) }, folder: file.folder)
        let container = ContainerDescription(labels: file.container.labels, name: file.container.name)
        let image = MountPoint.Image(
            labels: try DockerImages.labels(of: file.container, folder: file.folder), name: file.container.imageName,
            id: file.container.image)
        var scopes: [(driver: String, scope: MountPoint.Scope)] = [("local", .local)]
        return pairs.map { pair in
            let mount = pair.mount
            let effectiveSource = pair.source.path
            var mountPoint = MountPoint(
                type: mount.isVolume ? .volume : MountPoint.MountType(rawValue: mount.type),
                source: mount.source.isEmpty ? effectiveSource : mount.source, destination: mount.cleanedDestination,
                readOnly: mount.isReadOnly, mode: mount.mode, propagation: MountPoint.Propagation(rawValue: mount.propagation),
                createSourceIfMissing: mount.createsSource, consistency: mount.consistency, container: container, image: image)
            mountPoint.effectiveSource = effectiveSource
            if mount.isVolume {
                if !scopes.contains(where: { $0.driver.utf8.elementsEqual(mount.driver.utf8) }) {
                    scopes.append((mount.driver, scope(mount.driver) ?? .unspecified))
                }
                let volume = volumes.volume(mount.name)
                mountPoint.volume = MountPoint.Volume(
                    name: mount.name, driver: mount.driver, id: mount.mountID, labels: volume.labels, driverOptions: mount.driverOptions,
                    scope: scopes.first { $0.driver.utf8.elementsEqual(mount.driver.utf8) }?.scope ?? .unspecified, options: volume.options)
            }
            return InterposedMount(configurationIndex: pair.source.index, mountPoint: mountPoint)
        } + TmpfsMounts.interposed(configuration, container: container, image: image)
    }

    /// Each source of the configuration with the mount in Docker's file that it is of.
    ///
    /// - Throws: `EngineFilesError` if either has one that the other lacks.
    private static func pairs(
        _ file: DockerContainerFile, _ configuration: OCIConfiguration, _ sources: [HostSource], initPath: String?
    ) throws(EngineFilesError) -> [(source: HostSource, mount: DockerContainer.Mount)] {
        for mount in file.container.mounts where mount.isInterposed {
            // If --tmpfs names the same place, Docker leaves this mount out of config.json.
            let isThere = configuration.mounts.contains { LexicalPath.areSame($0.cleanedDestination, mount.cleanedDestination) }
            if !isThere { throw .disagreement(mount) }
        }
        let own = DockersOwnMounts(folder: file.folder, id: file.container.id, initPath: initPath)
        var pairs: [(source: HostSource, mount: DockerContainer.Mount)] = []
        for source in sources {
            let known = file.container.mounts.filter { LexicalPath.areSame($0.cleanedDestination, source.destination) }
            if source.isLayer { throw .unknown(source) }
            if let mount = known.first(where: \.isInterposed) {
                pairs.append((source, mount))
            } else if known.isEmpty ? !own.contain(source) : !known.contains(where: \.isOfImage) {
                throw .unknown(source)
            }
        }
        return pairs
    }
}

extension EngineFilesError {
    fileprivate static func disagreement(_ mount: DockerContainer.Mount) -> EngineFilesError {
        EngineFilesError(
            "Docker's record has a \(mount.type) mount at \(quoted(mount.cleanedDestination)), and the bundle's config.json has "
                + "none there, so it cannot be told which mount plugins must be asked about; please report this with Docker's version")
    }

    fileprivate static func unknown(_ source: HostSource) -> EngineFilesError {
        EngineFilesError(
            "the bundle's config.json has a mount of \(quoted(source.path)) at \(quoted(source.destination)) that Docker's record of the "
                + "container does not have and that is none of Docker's own, so plugins cannot be asked about it; if a runtime or device "
                + "interface before mountpoint-runc adds it, give the container a bind mount of it instead")
    }
}
