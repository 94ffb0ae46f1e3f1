// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerFiles
public import DockerPluginAPI
import JSON
public import OCIRuntime

/// A mount of a bundle that plugins are asked about.
public struct InterposedMount: Sendable, Equatable {
    /// Index into the configuration's mounts.
    public let configurationIndex: Int
    public var mountPoint: MountPoint
    /// Which folder of an overlay it is. Plugins are asked about each by itself, and can give no other source in its place.
    public let layer: Int?

    init(configurationIndex: Int, mountPoint: MountPoint, layer: Int? = nil) {
        self.configurationIndex = configurationIndex
        self.mountPoint = mountPoint
        self.layer = layer
    }
}

/// What the engine that starts a container knows of the container's mounts.
///
/// Only files are read, never the engine's API: an engine holds its lock on the container while it waits for the runtime, so that the
/// question would wait for its own answer; and dockerd starts containers that are to be restarted before it answers anybody.
public struct EngineView: Sendable, Equatable {
    public enum Engine: String, Sendable {
        case docker
        /// A plugin that Docker runs in a container of its own (`docker plugin install`).
        case dockerPlugin = "docker plugin"
        /// podman, CRI-O and what else keeps containers as they do.
        case podman
        /// containerd for Kubernetes.
        case containerd
        case nerdctl
        /// Also `podman build`.
        case buildah
        /// A person, or an engine that is not known here.
        case other
    }

    public let engine: Engine
    /// In the configuration's order.
    public let mounts: [InterposedMount]

    /// Finds which mounts of a bundle plugins are to be asked about, and what is known of each.
    ///
    /// For Docker, those are the bind and volume mounts of its record; what else is in config.json, Docker manages for itself (hosts,
    /// resolv.conf, secrets, its init), and anything besides is an error. For others, all bind mounts, and the folders of overlays, but
    /// those out of the engine's own folder of this container.
    /// Docker's plugins are no containers, and one of them may be the plugin that would be asked; of them, nothing is interposed.
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
        if namespace == "plugins.moby" { return EngineView(engine: .dockerPlugin, mounts: []) }
        let sources = try HostSource.all(in: configuration, bundle: bundle)
        let guess = EngineHeuristics(id, configuration, sources, bundle: bundle, namespace: namespace)
        // A root file system of podman's may be a user's folder, next to which the user has written a record.
        if namespace == "moby" || !guess.isRecognizedByBundle {
            var looked: [String] = []
            let file = try DockerContainerFile.find(id.text, rootPath: configuration.rootPath, dataRoots: dataRoots, looked: &looked)
            if let file {
                let mounts = try DockerMounts.interposed(file, configuration, sources, initPath: initPath, scope: scope)
                return EngineView(engine: .docker, mounts: mounts)
            }
            if namespace == "moby" { throw .noRecord(looked) }
        }
        return EngineView(engine: guess.engine, mounts: guess.interposed() + TmpfsMounts.interposed(configuration))
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

/// For messages: in quotes, with control characters escaped.
func quoted(_ text: String) -> String { JSONValue.string(text).description }
