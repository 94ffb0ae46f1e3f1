// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// Who besides this daemon's own mount namespace has a file system mounted: the kernel's own answer to whether a container
/// still uses a volume. Reads /proc only.
enum MountHolders {
    /// A process of another mount namespace in which the same part of the same superblock is mounted; nil if there is none.
    ///
    /// Two volumes of one export share both, and cannot be told apart here.
    static func process(holding entry: MountTableEntry) -> Int32? {
        guard let own = MountNamespace.identity(of: nil) else { return nil }
        var seen: Set<MountNamespace> = [own]
        for process in MountNamespace.processes() {
            guard let namespace = MountNamespace.identity(of: process), seen.insert(namespace).inserted,
                let table = try? MountTable(of: process)
            else { continue }
            if table.entries.contains(where: { isPart($0, of: entry) && !$0.mountPoint.hasSameBytes(as: entry.mountPoint) }) {
                return process
            }
        }
        return nil
    }

    /// A container can have less than the volume: Docker's volume-subpath mounts a directory of it.
    private static func isPart(_ other: MountTableEntry, of entry: MountTableEntry) -> Bool {
        guard other.device == entry.device else { return false }
        return other.root.hasSameBytes(as: entry.root) || entry.root == "/" || other.root.hasBytePrefix(entry.root + "/")
    }
}
