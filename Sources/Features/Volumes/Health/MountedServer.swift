// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import SystemPackage

/// A server of which volumes are mounted.
struct MountedServer: Sendable {
    let key: String
    /// One of its sources; each asks the same server.
    let source: any FileSystemSource
    private(set) var volumes: [String] = []
    /// A place of each superblock, by the superblock's device.
    private(set) var superblocks: [String: FilePath] = [:]

    private init(key: String, source: any FileSystemSource) { (self.key, self.source) = (key, source) }

    /// - Parameter records: volumes that are mounted.
    static func all(of records: [VolumeRecord], in table: VolumeTable) -> [MountedServer] {
        var servers: [String: MountedServer] = [:]
        for record in records {
            guard let mount = record.mount else { continue }
            let source = record.definition.options.source
            let key = source.serverKey
            var server = servers[key] ?? MountedServer(key: key, source: source)
            server.volumes.append(record.definition.name.text)
            server.superblocks[mount.device] = table.place(of: record.definition.name)
            servers[key] = server
        }
        return Array(servers.values)
    }

    /// Of its volumes, sorted, for a line of the log.
    func names(atMost limit: Int) -> String {
        let names = volumes.sorted()
        return names.prefix(limit).joined(separator: ", ") + (names.count > limit ? " and \(names.count - limit) more" : "")
    }
}
