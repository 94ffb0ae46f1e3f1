// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import PluginClient
import SystemPackage

/// `start`, `kill` and `delete`, for containers that plugins take part in; for all others they are handed over.
struct ContainerCommands {
    let invocation: Invocation

    /// For the supervisor to do what it is asked for.
    private static let doorbellLimit = Duration.seconds(10)

    // MARK: start

    /// The supervisor goes out of the container's control groups before anything can be counted or killed there.
    func start(_ id: String) throws(RuntimeError) -> Int32 {
        guard let managed = try managed(id) else { throw try invocation.handOver() }
        if !managed.isSettled, try managed.folder.attemptLock() == nil {
            throw RuntimeError("container \(id) is still being created; start it when create has returned")
        }
        managed.releaseGroups(invocation.log)
        throw try invocation.handOver(to: RuntimeBelow(recorded: managed.record.runtime))
    }

    // MARK: kill

    /// While the plugins detach, the engine still sees the container's process, and sends it signals. The container has none left that
    /// could take them, and a refusal would have the engine take the container for gone.
    func kill(_ selection: ContainerSelection) throws(RuntimeError) -> Int32 {
        guard case .id(let id) = selection, let managed = try managed(id.text) else { throw try invocation.handOver() }
        if let process = managed.record.process, !process.isAlive, try managed.folder.attemptLock() == nil { return 0 }
        managed.releaseGroups(invocation.log)
        throw try invocation.handOver(to: RuntimeBelow(recorded: managed.record.runtime))
    }

    // MARK: delete

    func delete(_ selection: ContainerSelection, force: Bool) throws(RuntimeError) -> Int32 {
        switch selection {
        case .id(let id):
            guard let managed = try managed(id.text) else { throw try invocation.handOver() }
            return try delete([managed], force: force)
        case .matching(let expression):
            let all = ContainerFolder.all(in: invocation.places.state, root: invocation.line.root)
            let matching = RegularExpression.filter(all.map(\.id), by: expression)
            var found: [ManagedContainer] = []
            for id in matching { if let managed = try managed(id) { found.append(managed) } }
            if found.isEmpty { throw try invocation.handOver() }
            return try delete(found, force: force)
        }
    }

    private func delete(_ containers: [ManagedContainer], force: Bool) throws(RuntimeError) -> Int32 {
        let runtime = if let first = containers.first { RuntimeBelow(recorded: first.record.runtime) } else { try invocation.runtime() }
        var locks: [FileLock?] = []
        for container in containers {
            container.releaseGroups(invocation.log)
            locks.append(try takeOver(container))
        }
        let status = try invocation.passOn(to: runtime)
        for (container, lock) in zip(containers, locks) {
            let held = if let lock { lock } else { try whenTornDown(container, after: status, force: force) }
            guard let held else { continue }
            try container.folder.remove()
            withExtendedLifetime(held) {}
        }
        return status
    }

    /// Before the runtime below deletes it: if nobody is responsible for the container any more, has it undone.
    ///
    /// - Returns: nil if its supervisor is there and the container has not ended yet.
    private func takeOver(_ container: ManagedContainer) throws(RuntimeError) -> FileLock? {
        if let lock = try container.folder.attemptLock() {
            try undo(container)
            return lock
        }
        if container.record.process?.isAlive == true || container.record.process == nil { return nil }
        return try whenUndone(container)
    }

    /// After the runtime below has deleted it: its supervisor sees the end of it, and undoes.
    ///
    /// - Returns: nil if it has not been deleted.
    private func whenTornDown(_ container: ManagedContainer, after status: Int32, force: Bool) throws(RuntimeError) -> FileLock? {
        if status != 0 {
            // Without force, one that is being created stays.
            guard let process = container.record.process else { return force ? try whenUndone(container) : nil }
            if process.isAlive { return nil }
        }
        return try whenUndone(container)
    }

    /// - Returns: nil if somebody else has removed what is known of it.
    private func whenUndone(_ container: ManagedContainer) throws(RuntimeError) -> FileLock? {
        guard let lock = try container.waitUntilNobodyIsResponsible() else { return nil }
        try undo(container)
        return lock
    }

    private func undo(_ container: ManagedContainer) throws(RuntimeError) {
        try container.undo(loader: PluginLoader(places: invocation.places, timeout: container.record.timeout), log: invocation.log)
    }

    // MARK: Containers

    private func managed(_ id: String) throws(RuntimeError) -> ManagedContainer? {
        try ManagedContainer(id, invocation: invocation)
    }
}

extension ManagedContainer {
    func releaseGroups(_ log: RuntimeLog) {
        do throws(SystemError) {
            if try !DoorbellSocket.ring(FilePath(folder.control), until: Deadline(after: .seconds(10))) {
                log.warning("the supervisor of container \(record.id) did not leave its control groups within 10 seconds")
            }
        } catch {
            // Nobody listens: there is no supervisor, so nothing of it is in the groups.
        }
    }
}
