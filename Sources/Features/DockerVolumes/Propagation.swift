// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// Whether what this daemon mounts is seen by the engine. mount_namespaces(7).
public enum Propagation {
    /// - Returns: nil if every dockerd on this host sees the mounts made in the folder, or none runs; else one line for the log.
    public static func problem(mountDirectory: String) -> String? {
        problem(mountDirectory: mountDirectory, engines: MountNamespace.processes(named: "dockerd"))
    }

    static func problem(mountDirectory: String, engines: [Int32]) -> String? {
        guard let own = MountNamespace.identity(of: nil) else { return nil }
        for process in engines {
            guard let theirs = MountNamespace.identity(of: process), theirs != own else { continue }
            guard let here = try? MountTable(), let there = try? MountTable(of: process) else { continue }
            let peers = groups(here, mountDirectory, ["shared:"])
            let receives = groups(there, mountDirectory, ["shared:", "master:"])
            if peers.isDisjoint(with: receives) {
                return
                    "dockerd (process \(process)) runs in another mount namespace and does not see what is mounted in \(mountDirectory): containers would get empty directories; remove PrivateMounts, ProtectSystem, MountFlags and their like from docker.service or docker-nfsd.service, and restart both"
            }
        }
        return nil
    }

    /// The peer groups of the mount that a path is on.
    private static func groups(_ table: MountTable, _ path: String, _ kinds: [String]) -> Set<String> {
        let over = table.entries.filter {
            $0.mountPoint == "/" || path.hasSameBytes(as: $0.mountPoint) || path.hasBytePrefix($0.mountPoint + "/")
        }
        guard let longest = over.map(\.mountPoint.utf8.count).max(), let mount = over.last(where: { $0.mountPoint.utf8.count == longest })
        else {
            return []
        }
        return Set(mount.propagation.compactMap { field in kinds.first(where: field.hasPrefix).map { String(field.dropFirst($0.count)) } })
    }
}
