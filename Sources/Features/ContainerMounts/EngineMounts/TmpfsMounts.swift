// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LexicalPaths
import OCIRuntime

/// The tmpfs mounts that users have asked for, for plugins that want to be shown them.
///
/// They are read from config.json for every engine: Docker's file of a container has those of `--mount`, but not those of `--tmpfs`.
enum TmpfsMounts {
    /// - Parameters:
    ///   - container: what is known of the container that has them.
    ///   - image: likewise.
    static func interposed(
        _ configuration: OCIConfiguration, container: ContainerDescription,
        image: MountPoint.Image = MountPoint.Image()
    ) -> [InterposedMount] {
        configuration.mounts.indices.filter { isAsked(configuration.mounts[$0]) }.map { index in
            let mount = configuration.mounts[index]
            let propagation = mount.options.last { propagations.contains($0) }
            return InterposedMount(
                configurationIndex: index,
                mountPoint: MountPoint(
                    type: .tmpfs, source: "", destination: mount.cleanedDestination,
                    readOnly: mount.options.last { $0 == "ro" || $0 == "rw" } == "ro", mode: mount.options.joined(separator: ","),
                    propagation: propagation.map { MountPoint.Propagation(rawValue: $0) } ?? .unspecified, consistency: .default,
                    container: container, image: image))
        }
    }

    /// Whether a user has asked for the mount. Engines make `/dev`, `/dev/shm` and covers of paths in /proc and /sys for every container.
    static func isAsked(_ mount: OCIConfiguration.Mount) -> Bool {
        guard mount.isTmpfs else { return false }
        let destination = mount.cleanedDestination
        if LexicalPath.areSame(destination, "/dev") { return false }
        if LexicalPath.areSame(destination, "/dev/shm") && mount.source == "shm" { return false }
        return !["/proc", "/sys"].contains { LexicalPath.isSame($0, orAbove: destination) }
    }

    private static let propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"]
}
