// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// A container that plugins take part in, as its folder says, for a command that is not responsible for it, or not yet.
struct ManagedContainer {
    let folder: ContainerFolder
    let record: ContainerRecord
    let owed: OwedDetaches
    private let invocation: Invocation

    /// Added to what the plugins may take.
    private static let patience = Duration.seconds(30)
    /// How long to wait until the record is read again.
    private static let glance = Duration.milliseconds(500)
    /// For a supervisor to do what it is asked for.
    private static let doorbellLimit = Duration.seconds(10)

    /// - Returns: nil if no plugin takes part in that container. What an earlier boot has left is removed.
    init?(_ id: ContainerID, invocation: Invocation) throws(RuntimeError) {
        self.invocation = invocation
        let places = invocation.places
        folder = try ContainerFolder(in: places.state, root: invocation.line.root, id: id)
        owed = OwedDetaches(in: places, root: invocation.line.root, id: id)
        guard folder.isThere else { return nil }
        // Of which boot a record is that was made in an unknown one, or is looked at in one, cannot be told: then it counts.
        let boot = try? Boot.current()
        switch try folder.readRecord() {
        case .record(let record):
            if let boot, !record.boot.isEmpty, record.boot != boot.text {
                try folder.remove()
                return nil
            }
            self.record = record
        case .none:
            // Killed before anything was asked: nothing in it matters.
            if let lock = try folder.attemptLock() {
                try folder.remove()
                withExtendedLifetime(lock) {}
            }
            return nil
        case .damaged(let error):
            // What it says is lost, but the container must be stoppable, and whoever is responsible for it has it in memory.
            invocation.log.warning("container \(id): \(error.message)")
            record = ContainerRecord(
                boot: boot?.text ?? "", id: id, phase: .created, runtime: try invocation.runtime().path,
                arguments: invocation.line.root.map { ["--root", $0] } ?? [], configuration: "", timeout: RuntimeSettings().timeout,
                ownsProcesses: true)
        }
    }

    /// Whether its process may be started: it has ended, or its mounts have been looked at, and its supervisor listens.
    var isSettled: Bool { record.process?.isAlive == false || access(folder.control, F_OK) == 0 }

    /// Has its supervisor, if there is one, leave the container's control groups.
    func releaseGroups(until deadline: Deadline? = nil) {
        do throws(SystemError) {
            if try !DoorbellSocket.ring(FilePath(folder.control), until: deadline ?? Deadline(after: Self.doorbellLimit)) {
                invocation.log.warning("the supervisor of container \(record.id) did not leave its control groups in time")
            }
        } catch {
            // Nobody listens: there is no supervisor, so nothing of it is in the groups.
        }
    }

    // MARK: Its aftermath

    /// Becomes responsible for it, if nobody is.
    func claim() throws(RuntimeError) -> Aftermath? { try folder.attemptLock().map(aftermath) }

    /// The same, once nobody is, at the latest by the deadline.
    ///
    /// - Returns: nil if somebody still is, or if they have removed the folder, too.
    func claim(until deadline: Deadline) throws(RuntimeError) -> Aftermath? { try folder.waitForLock(until: deadline).map(aftermath) }

    /// Waits for whoever is responsible to have undone everything, or to be gone with something left, and becomes responsible.
    ///
    /// - Parameter isNew: for a container that is to be created: another one of that id, which has been created meanwhile, is an error.
    /// - Returns: nil if they have removed the folder, too.
    func waitForAftermath(isNew: Bool = false) throws(RuntimeError) -> Aftermath? {
        let stack = (try? folder.stack()) ?? AppliedStack([AppliedPlugin(name: "", state: .attached)])
        let limit = Duration.seconds(stack.longestUnwinding(callTimeout: record.timeout)) + Self.patience
        let deadline = Deadline(after: limit)
        while true {
            if let lock = try folder.waitForLock(until: deadline.earlier(Deadline(after: Self.glance))) { return aftermath(lock) }
            if !folder.isThere { return nil }
            if deadline.hasPassed { break }
            // Another one of that id may have been created while this one waited.
            if isNew, let now = try? folder.record(), now.phase == .created, now.process?.isAlive == true, now.supervisor?.isAlive == true {
                throw RuntimeError("container \(record.id) is there already, and runs")
            }
        }
        throw RuntimeError(
            "container \(record.id) is still being undone after \(limit); mountpoint-runc doctor says which plugin does not answer")
    }

    /// Has everything undone, by whoever is responsible or else by this process, and forgets it.
    ///
    /// - Parameters:
    ///   - removingFromRuntime: for a container whose creation has not been reported, so that no `delete` will come.
    ///   - isNew: for another container of that id.
    func clear(removingFromRuntime: Bool = false, isNew: Bool = false) throws(RuntimeError) {
        guard let aftermath = try waitForAftermath(isNew: isNew) else { return }
        try aftermath.finish()
        if removingFromRuntime { aftermath.removeFromRuntime() }
        try aftermath.forget()
    }

    /// Whoever held the lock before may have come further.
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
