// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import OCIRuntime

/// Guesses the engine of a container, and its mounts, by config.json alone, for engines that leave no readable file about the container.
/// Every source on the host is interposed, except those that the engine mounts for itself.
struct EngineHeuristics {
    /// Whether the bundle's path or containerd's namespace shows which engine it is.
    let isRecognizedByBundle: Bool
    private let mounts: any EngineMounts
    private let sources: [HostSource]
    /// Whether it only holds the namespaces of a pod of Kubernetes.
    let isSandbox: Bool
    /// Annotations are its labels.
    let container: ContainerDescription

    var engine: ContainerEngine { mounts.engine }

    /// - Parameter namespace: containerd's.
    init(_ id: ContainerID, _ configuration: OCIConfiguration, _ sources: [HostSource], bundle: String, namespace: String) {
        let recognized: (any EngineMounts)? =
            PodmanMounts(id, configuration, sources, bundle: bundle) ?? BuildahMounts(id, bundle: bundle)
            ?? KubernetesMounts(id, configuration, namespace: namespace)
        isRecognizedByBundle = recognized != nil
        // containerd's name for its kind, and CRI-O's.
        isSandbox = ["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"].contains {
            configuration.annotation($0)?.utf8.elementsEqual("sandbox".utf8) == true
        }
        mounts = recognized ?? NerdctlMounts(id, sources, namespace: namespace) ?? UnknownEngineMounts()
        self.sources = sources
        // Annotations are to podman and Kubernetes what labels are to Docker.
        container = ContainerDescription(labels: StringMap(uniqueEntries: configuration.annotationTexts))
    }

    func interposed() -> [InterposedMount] {
        sources.filter { !mounts.isOwn($0) }.map { source in
            InterposedMount(configurationIndex: source.index, mountPoint: mountPoint(source), layer: source.layer)
        }
    }

    private func mountPoint(_ source: HostSource) -> MountPoint {
        var mountPoint = MountPoint(
            type: .bind, source: source.path, destination: source.destination, readOnly: source.isReadOnly,
            propagation: Self.propagation(source.options), consistency: .default, container: container)
        if let volume = mounts.volume(source) {
            mountPoint.type = .volume
            mountPoint.volume = volume
        }
        return mountPoint
    }

    private static func propagation(_ options: [String]) -> MountPoint.Propagation {
        let known = ["private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"]
        return options.last { known.contains($0) }.map { MountPoint.Propagation(rawValue: $0) } ?? .unspecified
    }
}
