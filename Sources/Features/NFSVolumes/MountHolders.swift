// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import LinuxSystem
import SystemPackage

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
            if table.entries.contains(where: { isPart($0, of: entry) && $0.mountPoint != entry.mountPoint }) { return process }
        }
        return nil
    }

    /// A container can have less than the volume: Docker's volume-subpath mounts a directory of it.
    private static func isPart(_ other: MountTableEntry, of entry: MountTableEntry) -> Bool {
        guard other.device == entry.device else { return false }
        return other.root == entry.root || entry.root == "/" || other.root.hasPrefix(entry.root + "/")
    }
}

/// Which container each of Docker's mount IDs belongs to, from the engine's own files.
///
/// The API does not tell; `containers/ID/config.v2.json` has it under `MountPoints`. Asking files also works while the
/// engine is down, or waits for this daemon.
struct DockerContainers: Sendable {
    let directory: FilePath

    private static let longestFile = 16 << 20

    /// Container names by mount ID; containers whose file cannot be read are left out.
    func namesByMountID() -> [String: String] {
        var found: [String: String] = [:]
        for (id, container) in containers() {
            for mount in container.mounts where !mount.mountID.isEmpty {
                found[mount.mountID] = container.name.isEmpty ? id : container.name
            }
        }
        return found
    }

    /// Whether the engine knows the container that mounts with this ID, and that it does not run.
    func isStopped(mountID: String) -> Bool {
        containers().contains { _, container in !container.isRunning && container.mounts.contains { $0.mountID == mountID } }
    }

    /// Whether a container that the engine knows, running or not, mounts with one of these IDs; true if that cannot be told.
    func knowsAny(of mountIDs: some Sequence<String>) -> Bool {
        guard let ids = try? namesInFolder(directory.appending("containers")) else { return true }
        if ids.contains(where: { isUnreadable($0) }) { return true }
        let known = namesByMountID()
        return mountIDs.contains { known[$0] != nil }
    }

    /// Whether a record is there and says nothing.
    private func isUnreadable(_ id: String) -> Bool {
        do throws(SystemError) {
            let bytes = try readWholeFile(file(of: id), limit: Self.longestFile)
            return (try? DockerContainer(parsing: bytes)) == nil
        } catch {
            return error.errno != .noSuchFileOrDirectory && error.errno != .notDirectory
        }
    }

    private func file(of id: String) -> FilePath { directory.appending("containers").appending(id).appending("config.v2.json") }

    private func containers() -> [(id: String, container: DockerContainer)] {
        ((try? namesInFolder(directory.appending("containers"))) ?? []).compactMap { id in
            guard let bytes = try? readWholeFile(file(of: id), limit: Self.longestFile) else { return nil }
            return (try? DockerContainer(parsing: bytes)).map { (id, $0) }
        }
    }
}
