// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LexicalPaths
import OCIRuntime

/// containerd's Kubernetes interface, which has folders for containers and for sandboxes (pods).
struct KubernetesMounts: EngineMounts {
    var engine: ContainerEngine { .containerd }
    private let id: String
    /// The sandbox that the container belongs to.
    private let sandbox: String
    private let pod: KubernetesPod?

    private static let shared = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/dev/shm", "/run/secrets"]

    /// - Parameter namespace: containerd's. Only in `k8s.io` annotations can be trusted; in others users can choose them.
    /// - Returns: nil if the container is not Kubernetes'.
    init?(_ id: ContainerID, _ configuration: OCIConfiguration, namespace: String) {
        guard namespace == "k8s.io", let sandbox = configuration.annotation("io.kubernetes.cri.sandbox-id"), !sandbox.isEmpty else {
            return nil
        }
        self.id = id.text
        self.sandbox = sandbox
        pod = configuration.annotation("io.kubernetes.cri.sandbox-uid").flatMap { KubernetesPod(uid: $0) }
    }

    func isOwn(_ source: HostSource) -> Bool {
        if source.isLayer { return false }
        if pod?.isOwn(source) == true { return true }
        let components = source.components
        for index in components.indices.dropLast(2) where Self.isInterface(components[index]) {
            switch components[index + 1] {
            case "containers": return LexicalPath.areSame(components[index + 2], id)
            case "sandboxes":
                return Self.shared.contains(bytesOf: source.destination) && LexicalPath.areSame(components[index + 2], sandbox)
            default: break
            }
        }
        return false
    }

    func volume(_ source: HostSource) -> MountPoint.Volume? { pod?.volume(source) }

    /// containerd's folders for Kubernetes: `io.containerd.grpc.v1.cri`, and since its version 2 others that end so.
    private static func isInterface(_ component: String) -> Bool {
        component.utf8.starts(with: "io.containerd.".utf8) && component.utf8.reversed().starts(with: ".cri".utf8.reversed())
    }
}

/// What kubelet keeps of a pod in `/var/lib/kubelet/pods/UID`. The UID is drawn when the pod is made, after its mounts have been given.
struct KubernetesPod {
    private let folder: [String]

    init?(uid: String) {
        guard LexicalPath.isComponent(uid) else { return nil }
        folder = ["var", "lib", "kubelet", "pods", uid]
    }

    /// Its hosts file, and the file for a container's last message.
    func isOwn(_ source: HostSource) -> Bool {
        guard let below = below(source) else { return false }
        if below.areSame(as: ["etc-hosts"]) { return source.destination == "/etc/hosts" }
        return below.count == 3 && below[0] == "containers"
    }

    /// Volumes of every kind: those of disks and servers, of secrets and configurations, and the service account's token.
    func volume(_ source: HostSource) -> MountPoint.Volume? {
        guard let below = below(source), below.count >= 3 else { return nil }
        switch below[0] {
        // volumes/kubernetes.io~projected/NAME
        case "volumes":
            let driver = below[1].utf8.map { $0 == UInt8(ascii: "~") ? UInt8(ascii: "/") : $0 }
            return MountPoint.Volume(name: below[2], driver: String(decoding: driver, as: UTF8.self), scope: .local)
        // volume-subpaths/NAME/CONTAINER/INDEX
        case "volume-subpaths": return MountPoint.Volume(name: below[1], scope: .local)
        default: return nil
        }
    }

    private func below(_ source: HostSource) -> [String]? {
        let components = source.components
        guard components.count > folder.count, components[..<folder.count].areSame(as: folder) else { return nil }
        return Array(components[folder.count...])
    }
}
