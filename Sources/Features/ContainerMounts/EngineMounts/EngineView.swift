// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerFiles
public import DockerPluginAPI
public import OCIRuntime

/// What the engine that starts a container knows of the container's mounts.
///
/// Only files are read, never the engine's API. An engine holds its lock on the container while it waits for the runtime, so a request
/// about the container would never be answered. And dockerd restarts containers before it answers any request.
public struct EngineView: Sendable, Equatable {
    public let engine: ContainerEngine
    /// In the configuration's order.
    public let mounts: [InterposedMount]
    /// Labels and name.
    public let container: ContainerDescription

    /// Finds the mounts of a bundle that plugins are to be asked about, and what is known of each.
    ///
    /// - For Docker: the bind and volume mounts in its file of the container. Docker's own mounts in config.json (hosts, resolv.conf,
    ///   secrets, its init) are left out, and any other mount is an error.
    /// - For Docker's managed plugins: no mounts, since such a plugin may be the one that would be asked.
    /// - For other engines: all bind mounts and folders of overlays, except those from the engine's own folder of this container.
    ///
    /// - Parameters:
    ///   - bundle: absolute.
    ///   - runtimeRoot: what the caller gave as `--root`, whose last component is containerd's namespace; dockerd's is `moby`.
    ///   - dataRoots: where else Docker's files may be: `data-root` of daemon.json, and `/var/lib/docker`.
    ///   - initPath: `init-path` of daemon.json.
    ///   - scope: asked for the scope of volumes, once for each driver but `local`; nil if it is not known.
    /// - Throws: `EngineFilesError` if the caller is Docker and has no record of the container, a file that is there cannot be used, or
    ///   the record and config.json do not agree.
    public static func find(
        container id: ContainerID, configuration: OCIConfiguration, bundle: String, runtimeRoot: String?, dataRoots: [String],
        initPath: String? = nil, scope: (_ driver: String) -> MountPoint.Scope? = { _ in nil }
    ) throws(EngineFilesError) -> EngineView {
        let namespace = runtimeRoot.map(lastComponent) ?? ""
        if namespace == "plugins.moby" { return EngineView(engine: .dockerPlugin, mounts: [], container: ContainerDescription()) }
        let sources = try HostSource.all(in: configuration, bundle: bundle)
        let guess = EngineHeuristics(id, configuration, sources, bundle: bundle, namespace: namespace)
        // podman's root file system may be in a user's folder, where the user can have written a forged file of Docker's.
        if namespace == "moby" || !guess.isRecognizedByBundle {
            var looked: [String] = []
            let file = try DockerContainerFile.find(id.text, rootPath: configuration.rootPath, dataRoots: dataRoots, looked: &looked)
            if let file {
                let mounts = try DockerMounts.interposed(file, configuration, sources, initPath: initPath, scope: scope)
                let container = ContainerDescription(labels: file.container.labels, name: file.container.name)
                return EngineView(engine: .docker, mounts: mounts, container: container)
            }
            if namespace == "moby" { throw .noRecord(looked) }
        }
        let memory = TmpfsMounts.interposed(configuration, container: guess.container)
        // The annotations of a pod are those of its containers, too, and name their mounts.
        let shown = guess.isSandbox ? ContainerDescription() : guess.container
        return EngineView(engine: guess.engine, mounts: guess.interposed() + memory, container: shown)
    }

    private static func lastComponent(of path: String) -> String {
        path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

extension EngineFilesError {
    fileprivate static func noRecord(_ looked: [String]) -> EngineFilesError {
        EngineFilesError(
            "Docker's record of the container is not found, so nobody can tell which mounts plugins must be asked about; looked for "
                + looked.joined(separator: ", ")
                + "; set docker-data-root in /etc/docker/mountpoint-runc.json to the folder that Docker uses")
    }
}
