// SPDX-License-Identifier: AGPL-3.0-or-later

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

    /// Where a volume is mounted.
    func place(of name: VolumeName) -> FilePath { mountDirectory.appending(name.fileName) }

    /// A volume's own options over the host's over the built-in ones.
    func options(of volume: VolumeOptions) throws(MountOptionError) -> MountOptions {
        try MountOptions(volume.mountOptions, defaults: [mountOptions, Self.builtInOptions])
    }

    /// What the kernel is to mount for a volume.
    func request(for definition: VolumeDefinition) throws(MountOptionError) -> NFSMountRequest {
        let options = definition.options
        return NFSMountRequest(
            server: options.server, path: options.path, versions: options.versions ?? versions, options: try self.options(of: options),
            subdirectory: options.subdirectory, target: place(of: definition.name).string)
    }
}
