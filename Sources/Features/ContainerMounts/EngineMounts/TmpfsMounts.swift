// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LexicalPaths
import OCIRuntime

/// The tmpfs mounts that somebody has asked for, for plugins that want to be shown them.
///
/// Out of config.json for every engine: Docker's record has those of `--mount`, and not those of `--tmpfs`.
enum TmpfsMounts {
    /// - Parameters:
    ///   - container: what is known of the container that has them.
    ///   - image: likewise.
    static func interposed(
        _ configuration: OCIConfiguration, container: MountPoint.Container = MountPoint.Container(),
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

    /// Whether it is not one that engines make for every container: `/dev`, `/dev/shm`, and what lies over places of /proc and /sys.
    static func isAsked(_ mount: OCIConfiguration.Mount) -> Bool {
        guard mount.isTmpfs else { return false }
        let destination = mount.cleanedDestination
        if LexicalPath.areSame(destination, "/dev") { return false }
        if LexicalPath.areSame(destination, "/dev/shm") && mount.source == "shm" { return false }
        return !["/proc", "/sys"].contains { LexicalPath.isSame($0, orAbove: destination) }
    }

    private static let propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"]
}
