// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount
public import SystemPackage

/// What the volumes of a host have in common.
public struct VolumeSettings: Sendable {
    /// What volumes are of, with this host's settings for it.
    public var kind: any FileSystemKind
    /// Definitions; survives everything.
    public var stateDirectory: FilePath
    /// References; ends with the boot.
    public var runtimeDirectory: FilePath
    /// What the processes that mount are called in ps(1), before `-mount` and the like.
    public var processName: String
    /// Where volumes without a server of their own lie; nil: they are refused.
    public var share: Share?
    public var limits = MountLimits()
    /// For what `onremove` asks; Docker gives up after 60 s.
    public var removal = Duration.seconds(45)
    public var mountMethod = MountMethod.automatic
    /// For volumes that do not say themselves for how long servers are waited for.
    public var patience = ServerPatience.none

    public init(kind: any FileSystemKind, stateDirectory: FilePath, runtimeDirectory: FilePath, processName: String) {
        self.kind = kind
        self.stateDirectory = stateDirectory
        self.runtimeDirectory = runtimeDirectory
        self.processName = processName
    }

    /// Where exports are mounted for a moment.
    package var stagingFolder: FilePath { runtimeDirectory.appending("staging") }
}
