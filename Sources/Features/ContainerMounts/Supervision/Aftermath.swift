// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// What is left to do for a container in which plugins take part, owned by whoever is responsible for it: the program that creates
/// it, then its supervisor, or a command that finds that both have been killed.
///
/// Four verbs: ``undo(_:)`` when the container has ended, ``finish()`` when nobody has seen whether it has, ``abandon()`` for one that
/// is not made, and ``forget()`` as the last.
struct Aftermath {
    let folder: ContainerFolder
    var record: ContainerRecord
    let owed: OwedDetaches
    /// Makes this process responsible, together with those that it forks.
    let lock: FileLock
    let loader: PluginLoader
    let log: RuntimeLog

    /// For a command of the runtime below that only has to send signals.
    private static let runtimeLimit = Duration.seconds(20)
    /// For a request that is being sent: a few system calls that do not block.
    private static let lastRequestLimit = Duration.seconds(10)
    /// For a process that has been killed to be gone.
    private static let killLimit = Duration.seconds(20)
    /// How often a worker that is killed is replaced. None asks a plugin that an earlier one has asked, so each one gets further.
    private static let attempts = 16

    // MARK: Verbs

    /// Puts config.json back as it was and asks the plugins to detach, by a process of its own, and again by another one if that is killed.
    ///
    /// An engine that has lost its patience kills the process that it takes for the container's, and ends commands that take it too
    /// long. The worker, which asks the plugins, is neither.
    ///
    /// - Returns: the exit status to report.
    func undo(_ ending: ContainerEnding) -> Int32 {
        for _ in 0..<Self.attempts {
            do throws(SystemError) {
                if case .exited(let status) = try runWorker(ending) { return status }
            } catch {
                log.warning("container \(record.id): no process can be made to undo its mounts in: \(error)")
                return detachPlugins(ending)
            }
        }
        log.warning("container \(record.id): the process that undoes its mounts was killed \(Self.attempts) times")
        return ending.statusAfterFailure
    }

    /// - Returns: how it has ended, all that it made with it; nil if that cannot be seen, and the next one finds what is left to do.
    /// - Throws: `SystemError` if it cannot be made.
    private func runWorker(_ ending: ContainerEnding) throws(SystemError) -> ProcessEnd? {
        var all = try LastProcess()
        let child = try ChildProcess.fork()
        if child == 0 {
            setsid()
            _exit(detachPlugins(ending))
        }
        all.watch()
        let end = try? ChildProcess.wait(for: child)
        if case .exited = end { return end }
        // It may have been about to send a request, which then is sent without it.
        _ = all.wait(until: end == nil ? nil : Deadline(after: Self.lastRequestLimit))
        return end
    }

    /// Undoes and forgets, by a process of its own that nobody has to wait for, and leaves the lock to it.
    func undoInBackground() -> BackgroundUndoing {
        do throws(SystemError) {
            let child = try ChildProcess.fork()
            if child == 0 {
                setsid()
                // Whoever reads the output of the command waits for all who could still write.
                try? ChildProcess.releaseDescriptors(except: [lock.descriptor])
                _ = undo(ContainerEnding(.recovered))
                forgetOrWarn()
                _exit(0)
            }
            lock.leaveToChildren()
            return BackgroundUndoing(process: child)
        } catch {
            _ = undo(ContainerEnding(.recovered))
            forgetOrWarn()
            return BackgroundUndoing(process: nil)
        }
    }

    /// Ends what is left of the container, and undoes. For a command that is responsible because all others have been killed.
    ///
    /// - Throws: `RuntimeError` if a process of the container does not end, so that its mounts are still in use.
    func finish() throws(RuntimeError) {
        try endProcesses()
        _ = undo(ContainerEnding(.recovered))
    }

    /// Undoes and forgets a container that is not made.
    func abandon() {
        if record.phase != .attaching { removeFromRuntime() }
        _ = undo(ContainerEnding(.notStarted))
        forgetOrWarn()
    }

    /// Removes what is known of the container, but for the plugins that are owed their detach.
    func forget() throws(RuntimeError) {
        // A damaged stack says nothing any more.
        let stack = if case .stack(let stack) = try folder.readStack() { stack } else { AppliedStack() }
        let owed = stack.owed
        let isUnasked = stack.plugins.contains { ($0.state == .attached || $0.state == .attaching) && !owed.contains($0) }
        // Whoever was to ask may have had no descriptor left; the next command tries again.
        if isUnasked, (try folder.record())?.phase != .ended {
            throw RuntimeError("container \(record.id): it is kept, since its plugins have not been asked to detach")
        }
        if !owed.isEmpty {
            // A worker had no room for it.
            guard moveOwed(stack) else { throw RuntimeError("container \(record.id): it is kept, since plugins are owed their detach") }
        }
        try folder.remove()
        withExtendedLifetime(lock) {}
    }

    private func forgetOrWarn() {
        do throws(RuntimeError) {
            try forget()
        } catch {
            log.warning(error.message)
        }
    }

    // MARK: Parts

    /// Ends what is left of the container.
    ///
    /// - Throws: `RuntimeError` if a process of the container does not end, so that its mounts are still in use.
    func endProcesses() throws(RuntimeError) {
        if record.phase == .ended { return }
        if let process = record.process {
            // The engine has seen the supervisor's end and takes it for the container's.
            if process.isAlive {
                try? process.signal(SIGKILL)
                if !process.waitUntilEnded(Deadline(after: Self.killLimit)) {
                    throw RuntimeError("process \(process.process) of container \(record.id) does not end; its mounts are still in use")
                }
            }
            if !record.ownsProcesses { killProcesses() }
        } else if record.phase == .creating {
            removeFromRuntime()
        }
    }

    /// Has the runtime below end and forget a container that is not to start, or whose supervisor has been killed.
    func removeFromRuntime() { command(["delete", "--force", record.id.text]) }

    /// Ends what is left of a container that shares its process id namespace. Engines do so too, but only after this.
    func killProcesses() { command(["kill", "--all", record.id.text, "KILL"]) }

    private func command(_ words: [String]) {
        do throws(SystemError) {
            let child = try ChildProcess.spawn(record.runtime, [record.runtime] + record.arguments + words, silence: [.input, .output])
            if try ChildProcess.wait(for: child, until: Deadline(after: Self.runtimeLimit)) == nil {
                kill(child, SIGKILL)
                _ = try ChildProcess.wait(for: child)
                log.warning("\(record.runtime) \(words.joined(separator: " ")) did not end within \(Self.runtimeLimit) and was killed")
            }
        } catch {
            log.warning("\(record.runtime) \(words.joined(separator: " ")): \(error)")
        }
    }

    /// The worker's work.
    private func detachPlugins(_ ending: ContainerEnding) -> Int32 {
        // An earlier worker may have been killed when all was done.
        guard record.phase != .ended, folder.isThere else { return ending.status }
        restoreConfiguration()
        folder.removeDrafts()
        var outcome = UnwindingOutcome()
        var stack: AppliedStack
        do throws(RuntimeError) {
            stack = try folder.stack()
        } catch {
            log.warning("container \(record.id): it is not known which plugins are to detach: \(error.message)")
            return ending.statusAfterFailure
        }
        if !stack.isEmpty {
            let actions = HostEmergencyActions(container: record.id.text, log: log, timeout: loader.timeout)
            let store = ContainerStackStore(folder, owed, record)
            outcome = stack.unwind(
                container: record.id.text, reason: ending.reason, exitStatus: ending.exitStatus, store: store, actions: actions
            ) { (name) throws(ChainedPluginError) in
                loader.plugin(name)
            }
            for failure in outcome.failures { log.warning("container \(record.id): \(failure)") }
            moveOwed(stack)
        }
        var ended = record
        ended.phase = .ended
        do throws(RuntimeError) {
            try folder.write(ended)
        } catch {
            log.warning(error.message)
        }
        if folder.isMarkedDeleted { forgetOrWarn() }
        withExtendedLifetime(lock) {}
        // A process that was killed may have seen the failure.
        return stack.hasFailed || stack.stopped != nil ? ending.statusAfterFailure : outcome.exitStatus(for: ending.status)
    }

    /// Keeps those that are owed their detach where they do not stand in the way of the next container with this id.
    ///
    /// - Returns: whether that could be written. Otherwise they stay in the container's folder.
    @discardableResult
    private func moveOwed(_ stack: AppliedStack) -> Bool {
        let places = stack.plugins.indices.filter { place in stack.owed.contains(stack.plugins[place]) }
        if places.isEmpty { return true }
        do throws(RuntimeError) {
            for place in places {
                let one = OwedDetach(at: place, of: stack, boot: Boot(record.boot), id: record.id, timeout: record.timeout)
                if let one { try owed.add(one) }
            }
            var rest = stack
            rest.plugins = []
            do throws(StackStoreError) {
                // Not by the keeper: what is durable stays so until the plugin has been asked.
                try folder.write(rest)
            } catch {
                throw RuntimeError(error.message)
            }
            return true
        } catch {
            log.warning("container \(record.id): \(error.message)")
            return false
        }
    }

    /// Puts config.json back as it was: the runtime below needs it no more, and who uses a bundle twice finds in it what he has put there.
    /// If somebody else has written the file since, it stays.
    func restoreConfiguration() {
        guard let written = record.writtenConfiguration, written.count == 2 else { return }
        try? removeFile(ConfigurationFile.draft(FilePath(record.configuration)), durable: false)
        do throws(RuntimeError) {
            guard let before = try folder.configurationAsItWas(), let now = try? FileIdentity(at: record.configuration),
                now.device == written[0], now.inode == written[1]
            else { return }
            try ConfigurationFile.replace(FilePath(record.configuration), with: before)
        } catch {
            log.warning("container \(record.id): its config.json is not put back as it was: \(error.message)")
        }
    }
}

/// What ``Aftermath/undoInBackground()`` has left to a process of its own.
struct BackgroundUndoing {
    /// Nil if it is done.
    let process: Int32?

    /// Returns when it is done, or at the deadline.
    func wait(until deadline: Deadline) {
        if let process { _ = try? ChildProcess.wait(for: process, until: deadline) }
    }
}

extension ContainerEnding {
    /// As it is reported if no plugin fails.
    fileprivate var status: Int32 { exitStatus ?? (reason == .notStarted ? 1 : 128 + SIGKILL) }

    /// As the protocol has it.
    fileprivate var statusAfterFailure: Int32 { status == 0 ? 129 : status }
}
