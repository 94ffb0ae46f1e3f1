// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LexicalPaths
import LinuxSystem
import OCIRuntime
import SystemPackage

/// podman and CRI-O, which keep a container in `STORAGE/overlay-containers/ID/userdata`, on disk and below /run.
struct PodmanMounts: EngineMounts {
    var engine: ContainerEngine { .podman }

    private let id: String
    /// The name of the folder that contains the containers, such as `overlay-containers`.
    private let containers: String
    /// The paths before that folder, for all sources with this container's id.
    private let storages: [[String]]
    private let hasInit: Bool
    /// Of CRI-O.
    private let pod: KubernetesPod?
    private let resolve: (String) -> String

    /// Where podman looks for its init; containers.conf(5), `init_path`. An init elsewhere was named by a user, so it is a user's mount.
    private static let initPaths = [
        "/usr/libexec/podman/catatonit", "/usr/local/libexec/podman/catatonit", "/usr/local/lib/podman/catatonit",
        "/usr/lib/podman/catatonit", "/usr/bin/catatonit", "/usr/local/bin/catatonit",
    ]

    private static let shared = [
        "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/dev/shm", "/run/.containerenv", "/run/secrets", "/etc/passwd", "/etc/group",
    ]

    /// - Parameter resolve: where symbolic links in a path lead.
    /// - Returns: nil if the bundle is not in such a folder.
    init?(
        _ id: ContainerID, _ configuration: OCIConfiguration, _ sources: [HostSource], bundle: String,
        resolve: @escaping (String) -> String = { resolvingSymbolicLinks(FilePath($0)).string }
    ) {
        let components = LexicalPath.components(of: bundle)
        guard components.count >= 3, components[(components.count - 2)...].areSame(as: [id.text, "userdata"]) else { return nil }
        let containers = components[components.count - 3]
        guard containers.utf8.reversed().starts(with: "-containers".utf8.reversed()) else { return nil }
        self.id = id.text
        self.containers = containers
        self.resolve = resolve
        hasInit = configuration.annotation("io.podman.annotations.init") == "TRUE"
        // podman's users can set any annotation but this one.
        let isPod = configuration.annotation("io.container.manager") == "cri-o"
        pod = isPod ? configuration.annotation("io.kubernetes.pod.uid").flatMap { KubernetesPod(uid: $0) } : nil
        storages = ([components] + sources.map(\.components)).compactMap { Self.storage(of: $0, containers, container: id.text) }
    }

    func isOwn(_ source: HostSource) -> Bool {
        let components = source.components
        if Self.storage(of: components, containers, container: id) != nil || pod?.isOwn(source) == true { return true }
        if !source.isLayer, Self.shared.contains(bytesOf: source.destination),
            let storage = Self.storage(of: components, containers, container: nil)
        {
            return storages.contains { $0.areSame(as: storage) }
        }
        return hasInit && !source.isLayer && source.destination == "/run/podman-init" && isInit(source.path)
    }

    /// `STORAGE/volumes/NAME/_data`
    func volume(_ source: HostSource) -> MountPoint.Volume? {
        if let volume = pod?.volume(source) { return volume }
        let components = source.components
        guard components.count > 3, components.last == "_data", components[components.count - 3] == "volumes",
            storages.contains(where: { $0.areSame(as: Array(components.dropLast(3))) })
        else { return nil }
        return MountPoint.Volume(name: components[components.count - 2], driver: "local", scope: .local)
    }

    private func isInit(_ path: String) -> Bool {
        guard Self.initPaths.contains(bytesOf: path) else { return false }
        let resolved = LexicalPath.components(of: resolve(path))
        return resolved.first == "usr" && resolved.last == "catatonit"
    }

    /// The components before `overlay-containers/ID/userdata` in a path.
    ///
    /// - Parameter container: nil for any.
    private static func storage(of components: [String], _ containers: String, container: String?) -> [String]? {
        for index in components.indices.dropLast(2) where LexicalPath.areSame(components[index], containers) {
            if components[index + 2] != "userdata" { continue }
            if let container, !LexicalPath.areSame(components[index + 1], container) { continue }
            return Array(components[..<index])
        }
        return nil
    }
}
