// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
public import KernelMount
public import SystemPackage

/// What the volumes of a host have in common.
public struct VolumeSettings: Sendable {
    /// What volumes are of, with this host's settings for it.
    public var kind: any FileSystemKind
    /// Definitions; survives everything.
    public var stateDirectory: FilePath = "/var/lib/docker-nfsd"
    /// References; ends with the boot.
    public var runtimeDirectory: FilePath = "/run/docker-nfsd"
    /// Each volume is mounted in a folder of its own here.
    public var mountDirectory: FilePath = "/var/lib/docker-volumes-nfsd"
    /// Docker's data root, where its containers' files say who holds a volume.
    public var dockerDirectory: FilePath = "/var/lib/docker"
    /// Where the engine's API is served; nil: it is not asked to look the driver up.
    public var engineSocket: FilePath? = "/var/run/docker.sock"
    /// Where volumes without a server of their own lie; nil: they are refused.
    public var share: Share?
    /// How often the share's catalogue is read.
    public var shareRefresh = Duration.seconds(10)
    /// What tells this host from the others in the catalogue; nil: /etc/machine-id does.
    var node: String?
    public var limits = MountLimits()
    /// For what `onremove` asks; Docker gives up after 60 s.
    public var removal = Duration.seconds(45)
    public var mountMethod = MountMethod.automatic

    public init(kind: any FileSystemKind) { self.kind = kind }

    /// What other hosts know this one's volumes by.
    var scope: VolumeScope { share == nil ? .local : .global }

    /// Where a volume is mounted.
    func place(of name: VolumeName) -> FilePath { mountDirectory.appending(name.fileName) }
}
