// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import OCIRuntime

/// Containers of engines that leave no record of their mounts where it could be read: config.json is all there is, and every bind
/// mount is interposed, except those out of the folders that the engine itself has made for the container.
///
/// A user must not be able to make a mount look like one of those. A container's id is drawn after its mounts have been given, so a
/// source with the container's own id in the right place is the engine's; what belongs to another container, whose id could have been
/// known, counts only below a folder where something of this container's is, and only where engines mount such things.
struct OtherEngine {
    let engine: EngineRecord.Engine
    private let configuration: OCIConfiguration
    private let bundle: String
    private let id: String
    /// Of podman: the folder's name that containers lie in, such as `overlay-containers`.
    private let containers: String
    /// Of Kubernetes: the sandbox that the container belongs to.
    private let sandbox: String

    private static let shared = [
        "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/dev/shm", "/run/.containerenv", "/run/secrets", "/etc/passwd", "/etc/group",
    ]

    /// - Parameter namespace: containerd's.
    init(_ id: ContainerID, _ configuration: OCIConfiguration, bundle: String, namespace: String) {
        self.configuration = configuration
        self.bundle = bundle
        self.id = id.text
        // podman and CRI-O: STORAGE/overlay-containers/ID/userdata
        let components = LexicalPath.components(of: bundle)
        let isStorage =
            components.count >= 3 && components.last == "userdata" && components[components.count - 2] == id.text
            && components[components.count - 3].hasSuffix("-containers")
        containers = isStorage ? components[components.count - 3] : ""
        // Elsewhere, users can give their containers any annotation.
        sandbox = namespace == "k8s.io" ? configuration.annotation("io.kubernetes.cri.sandbox-id") ?? "" : ""
        engine = isStorage ? .podman : sandbox.isEmpty ? .other : .containerd
    }

    func interposed() -> [InterposedMount] {
        let binds = configuration.mounts.indices.filter { configuration.mounts[$0].isBind }
        let folders = [bundle] + binds.compactMap { bindSource(configuration.mounts[$0], bundle: bundle) }
        let storages = folders.compactMap { storage(of: $0, container: id) }
        return binds.filter { !isEngines(configuration.mounts[$0], storages: storages) }.map { index in
            InterposedMount(configurationIndex: index, mountPoint: mountPoint(configuration.mounts[index]))
        }
    }

    private func isEngines(_ mount: OCIConfiguration.Mount, storages: [String]) -> Bool {
        let source = bindSource(mount, bundle: bundle)
        let isShared = Self.shared.contains { LexicalPath.areSame($0, mount.cleanedDestination) }
        switch engine {
        case .podman:
            if storage(of: source, container: id) != nil { return true }
            if isShared, let storage = storage(of: source, container: nil) { return storages.contains(storage) }
            // Where podman puts its own init, if it was asked to.
            return mount.cleanedDestination == "/run/podman-init" && LexicalPath.isSame("/usr", orAbove: LexicalPath.absolute(source))
                && configuration.annotation("io.podman.annotations.init") == "TRUE"
        case .containerd:
            let components = LexicalPath.components(of: source)
            for index in components.indices.dropLast(2) where Self.isInterface(components[index]) {
                switch components[index + 1] {
                case "containers": return components[index + 2] == id
                case "sandboxes": return isShared && components[index + 2] == sandbox
                default: break
                }
            }
            return false
        default: return false
        }
    }

    /// containerd's folders for Kubernetes: `io.containerd.grpc.v1.cri`, and since its version 2 others that end so.
    private static func isInterface(_ component: String) -> Bool {
        component.hasPrefix("io.containerd.") && component.hasSuffix(".cri")
    }

    /// What stands before `overlay-containers/ID/userdata` in a path.
    ///
    /// - Parameter container: nil for any.
    private func storage(of path: String, container: String?) -> String? {
        if containers.isEmpty { return nil }
        let components = LexicalPath.components(of: path)
        for index in components.indices.dropLast(2) where components[index] == containers && components[index + 2] == "userdata" {
            if let container, components[index + 1] != container { continue }
            return components[..<index].joined(separator: "/")
        }
        return nil
    }

    private func mountPoint(_ mount: OCIConfiguration.Mount) -> MountPoint {
        let source = bindSource(mount, bundle: bundle)
        var mountPoint = MountPoint(
            type: .bind, source: source, destination: mount.cleanedDestination, readOnly: Self.isReadOnly(mount.options),
            propagation: Self.propagation(mount.options), consistency: .default)
        // podman's named volumes: STORAGE/volumes/NAME/_data
        let components = LexicalPath.components(of: source)
        if engine == .podman, components.count >= 3, components[components.count - 1] == "_data",
            components[components.count - 3] == "volumes"
        {
            mountPoint.type = .volume
            mountPoint.volume = MountPoint.Volume(name: components[components.count - 2], driver: "local", scope: .local)
        }
        return mountPoint
    }

    private static func isReadOnly(_ options: [String]) -> Bool {
        options.last { $0 == "ro" || $0 == "rw" } == "ro" || options.contains("rro")
    }

    private static func propagation(_ options: [String]) -> MountPoint.Propagation {
        let known = ["private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"]
        return options.last { known.contains($0) }.map { MountPoint.Propagation(rawValue: $0) } ?? .unspecified
    }
}
