// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// A container that plugins take part in, as its folder says.
struct ManagedContainer {
    let folder: ContainerFolder
    let record: ContainerRecord

    /// For a process that has been killed to be gone.
    private static let killLimit = Duration.seconds(20)
    /// Added to what the plugins may take.
    private static let patience = Duration.seconds(30)

    /// - Returns: nil if no plugin takes part in that container. What an earlier boot has left is removed.
    init?(_ id: String, invocation: Invocation) throws(RuntimeError) {
        folder = try ContainerFolder(in: invocation.places.state, root: invocation.line.root, id: id)
        guard folder.isThere else { return nil }
        let found: ContainerRecord?
        do throws(RuntimeError) {
            found = try folder.record()
        } catch {
            // What it says is lost, but the container must be stoppable, and whoever is responsible for it has it in memory.
            invocation.log.warning("container \(id): \(error.message)")
            record = ContainerRecord(
                boot: bootIdentity(), id: id, phase: .created, runtime: try invocation.runtime().path,
                arguments: invocation.line.root.map { ["--root", $0] } ?? [], configuration: "", timeout: RuntimeSettings().timeout,
                ownsProcesses: true)
            return
        }
        guard let record = found else {
            // Killed before anything was asked: only the lock can be in it.
            if let lock = try folder.attemptLock() {
                try folder.remove()
                withExtendedLifetime(lock) {}
            }
            return nil
        }
        if record.boot != bootIdentity() {
            try folder.remove()
            return nil
        }
        self.record = record
    }

    /// Whether its process may be started: it has ended, or its mounts have been looked at, and its supervisor listens.
    var isSettled: Bool { record.process?.isAlive == false || access(folder.control, F_OK) == 0 }

    /// Ends what is left of the container and has the plugins detach. For whoever holds the lock.
    func undo(loader: PluginLoader, log: RuntimeLog) throws(RuntimeError) {
        // Whoever held the lock before may have come further, or removed it all.
        guard folder.isThere else { return }
        let record = (try? folder.record()) ?? record
        if record.phase == .ended { return }
        let end = ContainerEnd(folder: folder, record: record, loader: loader, log: log)
        if let process = record.process {
            // The engine has seen the supervisor's end and takes it for the container's.
            if process.isAlive {
                try? process.signal(SIGKILL)
                if !process.waitUntilEnded(Deadline(after: Self.killLimit)) {
                    throw RuntimeError("process \(process.process) of container \(record.id) does not end; its mounts are still in use")
                }
            }
            if !record.ownsProcesses { end.killProcesses() }
        } else if record.phase == .creating {
            end.removeFromRuntime()
        }
        _ = end.tearDownApart(after: 137)
    }

    /// Waits for whoever is responsible to have undone everything, or to be gone, with the rest left to `undo`.
    ///
    /// - Returns: nil if they have removed the folder, too.
    func waitUntilNobodyIsResponsible() throws(RuntimeError) -> FileLock? {
        let plugins = (try? folder.stack())?.plugins.count ?? 1
        let limit = Duration.seconds(record.timeout) * (2 * plugins) + Self.patience
        if let lock = try folder.waitForLock(until: Deadline(after: limit)) { return lock }
        if !folder.isThere { return nil }
        throw RuntimeError(
            "container \(record.id) is still being undone after \(limit); mountpoint-runc doctor says which plugin does not answer")
    }
}
