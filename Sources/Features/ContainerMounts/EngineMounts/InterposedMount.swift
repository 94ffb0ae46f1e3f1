// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI

/// A mount of a bundle that plugins are asked about.
public struct InterposedMount: Sendable, Equatable {
    /// Index into the configuration's mounts.
    public let configurationIndex: Int
    public var mountPoint: MountPoint
    /// Which folder of an overlay it is. Plugins are asked about each folder, and cannot replace its source.
    public let layer: Int?

    init(configurationIndex: Int, mountPoint: MountPoint, layer: Int? = nil) {
        self.configurationIndex = configurationIndex
        self.mountPoint = mountPoint
        self.layer = layer
    }
}
