// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// A container that plugins take part in, as its folder describes it, for a command that is not responsible for it yet.
struct ManagedContainer {
    let folder: ContainerFolder
    let record: SupervisionState
    let owed: OwedDetaches
    private let invocation: Invocation

    /// Added to the time that the plugins may take.
    private static let patience = Duration.seconds(30)
    /// How often the record is read while waiting for the lock.
    private static let glance = Duration.milliseconds(500)
    /// How long a supervisor may take to answer its doorbell.
    private static let doorbellLimit = Duration.seconds(10)

    /// - Returns: nil if no plugin takes part in that container. The folder of an earlier boot is removed.
    init?(_ id: ContainerID, invocation: Invocation) throws(RuntimeError) {
        self.invocation = invocation
        let places = invocation.places
        folder = try ContainerFolder(in: places.state, root: invocation.line.root, id: id)
        owed = OwedDetaches(in: places, root: invocation.line.root, id: id)
        guard folder.isThere else { return nil }
        // If this boot or the record's boot is unknown, the record counts as one of this boot.
        let boot = try? Boot.current()
        switch try folder.readRecord() {
        case .record(let record):
            if let boot, !record.boot.isEmpty, record.boot != boot.text {
                try folder.remove()
                return nil
            }
            self.record = record
        case .none:
            // Its process was killed before any plugin was asked, so nothing has to be undone. Or another process is removing the folder.
            if let lock = try folder.waitForLock(until: Deadline(after: .zero)) {
                try folder.remove()
                withExtendedLifetime(lock) {}
            }
            return nil
        case .damaged(let error):
            // The record is lost, but the container must be stoppable. The responsible process still has the record in memory.
            invocation.log.warning("container \(id): \(error.message)")
            record = SupervisionState(
                boot: boot?.text ?? "", id: id, phase: .created, runtime: try invocation.runtime().path,
                arguments: invocation.line.root.map { ["--root", $0] } ?? [], configuration: "", timeout: RuntimeSettings().timeout,
                ownsProcesses: true)
        }
    }

    /// Whether its process may be started: it has ended, or its mounts have been checked and its supervisor listens.
    var isSettled: Bool { record.process?.isAlive == false || access(folder.control, F_OK) == 0 }

    /// Asks the supervisor, if there is one, to leave the container's control groups, and waits for that.
    func releaseGroups(until deadline: Deadline? = nil) {
        do throws(SystemError) {
            if try !DoorbellSocket.ring(FilePath(folder.control), until: deadline ?? Deadline(after: Self.doorbellLimit)) {
                invocation.log.warning("the supervisor of container \(record.id) did not leave its control groups in time")
            }
        } catch {
            // No process listens, so there is no supervisor in the groups.
        }
    }

    // MARK: Its aftermath

    /// Becomes responsible for the container.
    ///
    /// - Returns: nil if another process is responsible.
    func claim() throws(RuntimeError) -> Aftermath? { try folder.attemptLock().map(aftermath) }

    /// The same, and waits until the deadline for another responsible process to finish.
    ///
    /// - Returns: nil if another process is still responsible, or has removed the folder.
    func claim(until deadline: Deadline) throws(RuntimeError) -> Aftermath? { try folder.waitForLock(until: deadline).map(aftermath) }

    /// Waits until the responsible process has undone everything or has ended, and becomes responsible.
    ///
    /// - Parameter isNew: whether a container of that id is to be created. Another one that was created meanwhile is an error then.
    /// - Returns: nil if the responsible process has removed the folder.
    func waitForAftermath(isNew: Bool = false) throws(RuntimeError) -> Aftermath? {
        let stack = (try? folder.stack()) ?? AppliedStack([AppliedPlugin(name: "", state: .attached)])
        let limit = Duration.seconds(stack.longestUnwinding(callTimeout: record.timeout)) + Self.patience
        let deadline = Deadline(after: limit)
        while true {
            if let lock = try folder.waitForLock(until: deadline.earlier(Deadline(after: Self.glance))) { return aftermath(lock) }
            if !folder.isThere { return nil }
            if deadline.hasPassed { break }
            // Another container of that id may have been created meanwhile.
            if isNew, let now = try? folder.record(), now.phase == .created, now.process?.isAlive == true, now.supervisor?.isAlive == true {
                throw RuntimeError(.exists, "container \(record.id) is there already, and runs")
            }
        }
        throw RuntimeError(
            .busy,
            "container \(record.id) is still being undone after \(limit); mountpoint-runc doctor says which plugin does not answer")
    }

    /// Waits until everything is undone, undoes what is left, and forgets the container.
    ///
    /// - Parameters:
    ///   - removingFromRuntime: for a container whose creation was not reported, so that the engine sends no `delete`.
    ///   - isNew: whether another container of that id is to be created.
    func clear(removingFromRuntime: Bool = false, isNew: Bool = false) throws(RuntimeError) {
        guard let aftermath = try waitForAftermath(isNew: isNew) else { return }
        try aftermath.finish()
        if removingFromRuntime { aftermath.removeFromRuntime() }
        try aftermath.forget()
    }

    /// Reads the record again: the process that held the lock before may have changed it.
    private func aftermath(_ lock: FileLock) -> Aftermath {
        var record = record
        if folder.isThere {
            if let newer = try? folder.record() { record = newer }
        } else {
            record.phase = .ended
        }
        return Aftermath(
            folder: folder, record: record, owed: owed, lock: lock, loader: invocation.loader(timeout: record.timeout), log: invocation.log)
    }
}
