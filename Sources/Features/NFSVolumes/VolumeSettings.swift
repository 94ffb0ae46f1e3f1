// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
public import NFSMount
public import SystemPackage

/// What the volumes of a host have in common.
public struct VolumeSettings: Sendable {
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
    /// Mount options of this host; they beat ``builtInOptions``, and are beaten by the volume's own.
    public var mountOptions = ""
    public var versions = VersionPolicy.default
    public var limits = NFSMountLimits()
    /// For what `onremove` asks; Docker gives up after 60 s.
    public var removal = Duration.seconds(45)
    public var mountMethod = MountMethod.automatic
    /// For tests only: another file system in the place of NFS.
    public var standIn: NFSMounter.StandIn?

    public static let builtInOptions = "rw,noatime,soft"

    public init() {}

    /// What other hosts know this one's volumes by.
    var scope: VolumeScope { share == nil ? .local : .global }

    /// Where a volume is mounted.
    func place(of name: VolumeName) -> FilePath { mountDirectory.appending(name.fileName) }

    /// A volume's own options over the host's over the built-in ones.
    func options(of volume: VolumeOptions) throws(MountOptionError) -> MountOptions {
        try MountOptions(volume.mountOptions, defaults: [mountOptions, Self.builtInOptions])
    }

    /// For the share's catalogue: to be written to, and with no cache in common with volumes of the same export.
    func catalogueOptions() throws(MountOptionError) -> MountOptions {
        try MountOptions(standIn == nil ? "rw,nosharecache" : "rw", defaults: [mountOptions, Self.builtInOptions])
    }

    /// What the kernel is to mount for a volume.
    func request(for definition: VolumeDefinition) throws(MountOptionError) -> NFSMountRequest {
        let options = definition.options
        return NFSMountRequest(
            server: options.server, path: options.path, versions: options.versions ?? versions, options: try self.options(of: options),
            subdirectory: options.subdirectory, requiredFolder: definition.share == nil ? nil : Share.catalogueFolder,
            target: place(of: definition.name).string)
    }
}
