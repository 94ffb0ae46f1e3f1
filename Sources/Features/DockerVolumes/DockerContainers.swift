// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import LinuxSystem
import SystemPackage

/// Which container each of Docker's mount IDs belongs to, from the engine's own files.
///
/// The API does not tell; `containers/ID/config.v2.json` has it under `MountPoints`. Asking files also works while the
/// engine is down, or waits for this daemon.
struct DockerContainers: Sendable {
    private let settings: EngineSettings

    private static let longestFile = 16 << 20

    init(_ settings: EngineSettings) { self.settings = settings }

    /// Container names by mount ID; containers whose file cannot be read are left out.
    func namesByMountID() -> [String: String] {
        var found: [String: String] = [:]
        for case let (id, container?) in records() {
            for mount in container.mounts where !mount.mountID.isEmpty {
                found[mount.mountID] = container.name.isEmpty ? id : container.name
            }
        }
        return found
    }

    /// Whether the engine knows the container that mounts with this ID, and that it does not run.
    func isStopped(mountID: String) -> Bool {
        records().contains { _, container in
            container.map { !$0.isRunning && $0.mounts.contains { $0.mountID == mountID } } ?? false
        }
    }

    /// Whether a container that the engine knows, running or not, mounts with one of these IDs; true if that cannot be told.
    func knowsAny(of mountIDs: some Sequence<String>) -> Bool {
        if folders.isEmpty { return true }
        let wanted = Set(mountIDs)
        return records().contains { _, container in container.map { $0.mounts.contains { wanted.contains($0.mountID) } } ?? true }
    }

    /// Those that can be read, of each place where Docker may keep its records. Looked up each time, because Docker may be told of another
    /// place at any time.
    var folders: [FilePath] {
        let roots = settings.dataRoot.map { [$0.string] } ?? (try? DockerSettings.read(from: settings.daemonFile.string))?.dataRoots
        return (roots ?? DockerSettings().dataRoots).flatMap(DockerContainerFile.foldersWithRecords).map {
            FilePath($0).appending("containers")
        }
        .filter { (try? namesInFolder($0)) != nil }
    }

    /// Of each container that has one; nil in the place of one that cannot be read, or makes no sense.
    private func records() -> [(id: String, container: DockerContainer?)] {
        folders.flatMap(records)
    }

    private func records(in folder: FilePath) -> [(id: String, container: DockerContainer?)] {
        ((try? namesInFolder(folder)) ?? []).compactMap { id in
            do throws(SystemError) {
                let bytes = try readRegularFile(folder.appending(id).appending("config.v2.json"), limit: Self.longestFile)
                return (id, try? DockerContainer(parsing: bytes))
            } catch {
                return error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory ? nil : (id, nil)
            }
        }
    }
}
