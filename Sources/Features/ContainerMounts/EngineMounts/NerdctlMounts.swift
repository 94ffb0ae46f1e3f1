// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LexicalPaths
import OCIRuntime

/// nerdctl, which keeps its own files in `/var/lib/nerdctl/HASH`, or without root in `~/.local/share/nerdctl/HASH`.
struct NerdctlMounts: EngineMounts {
    var engine: ContainerEngine { .nerdctl }
    private let id: String
    private let namespace: String

    /// - Parameter namespace: containerd's.
    /// - Returns: nil if no mount has a source there.
    init?(_ id: ContainerID, _ sources: [HostSource], namespace: String) {
        if namespace.isEmpty { return nil }
        self.id = id.text
        self.namespace = namespace
        if !sources.contains(where: { isOwn($0) }) { return nil }
    }

    func isOwn(_ source: HostSource) -> Bool {
        if source.isLayer { return false }
        let below = below(source)
        switch source.destination {
        case "/etc/hosts": return below.areSame(as: ["etchosts", namespace, id, "hosts"])
        case "/etc/hostname": return below.areSame(as: ["containers", namespace, id, "hostname"])
        case "/etc/resolv.conf": return below.areSame(as: ["containers", namespace, id, "resolv.conf"])
        default: return false
        }
    }

    func volume(_ source: HostSource) -> MountPoint.Volume? {
        let below = below(source)
        guard below.count == 4, below[0] == "volumes", LexicalPath.areSame(below[1], namespace), below[3] == "_data" else { return nil }
        return MountPoint.Volume(name: below[2], driver: "local", scope: .local)
    }

    /// What follows the folder that is named by a hash of containerd's address, in 8 hexadecimal digits.
    private func below(_ source: HostSource) -> [String] {
        let components = source.components
        guard let index = components.firstIndex(of: "nerdctl"), index + 2 < components.count else { return [] }
        let above = components[..<index]
        let hash = components[index + 1].utf8
        let isHash =
            hash.count == 8
            && hash.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
        guard isHash, above.areSame(as: ["var", "lib"]) || above.suffix(2).areSame(as: [".local", "share"]) else { return [] }
        return Array(components[(index + 2)...])
    }
}
