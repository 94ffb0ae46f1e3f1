// SPDX-License-Identifier: AGPL-3.0-or-later

public import SystemPackage

/// Where the Docker Engine of this host is found.
public struct EngineSettings: Sendable {
    /// Docker's data root, where its containers' files say who holds a volume; nil: what Docker's own settings say, and /var/lib/docker.
    public var dataRoot: FilePath?
    /// Docker's own settings.
    public var daemonFile: FilePath = "/etc/docker/daemon.json"
    /// Where the engine's API is served; nil: it is not asked to look the driver up.
    public var apiSocket: FilePath? = "/var/run/docker.sock"

    /// Containers whose start failed because a volume's server was away are started again by that API when the server answers.
    public var restartsFailedContainers = false

    public init() {}
}
