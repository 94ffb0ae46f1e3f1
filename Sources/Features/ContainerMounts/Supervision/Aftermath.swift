// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// What is left to do for a container in which plugins take part. It belongs to the responsible process: the program that creates the
/// container, then its supervisor, or a command that finds both killed.
///
/// Four verbs: ``undo(_:)`` when the container has ended, ``finish()`` when its end was not observed, ``abandon()`` for a container that is
/// not created, and ``forget()`` as the last.
struct Aftermath {
    let folder: ContainerFolder
    var record: SupervisionState
    let owed: OwedDetaches
    /// Makes this process and its children responsible.
    let lock: FileLock
    let loader: PluginLoader
    let log: RuntimeLog

    /// The time for a command of the delegate runtime that only sends signals.
    private static let runtimeLimit = Duration.seconds(20)
    /// The time for a request that is being sent: a few system calls that do not block.
    private static let lastRequestLimit = Duration.seconds(10)
    /// The time until a killed process is gone.
    private static let killLimit = Duration.seconds(20)
    /// How many times the teardown worker is started. A worker never repeats a request, so each restart makes progress.
    private static let attempts = 16

    // MARK: Verbs

    /// Restores config.json and asks the plugins to detach, in a worker process. A killed worker is restarted.
    ///
    /// After a time limit, engines kill the process that they regard as the container's, and commands that take too long. The worker is
    /// neither of the two.
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

    /// - Returns: how the worker ended; nil if that is not known. The processes that it started have ended then, too.
    /// - Throws: `SystemError` if the worker cannot be started.
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
        // A process that the worker started may still be sending a request.
        _ = all.wait(until: end == nil ? nil : Deadline(after: Self.lastRequestLimit))
        return end
    }

    /// Undoes and forgets in a background process, which keeps the lock.
    func undoInBackground() -> BackgroundUndoing {
        do throws(SystemError) {
            let child = try ChildProcess.fork()
            if child == 0 {
                setsid()
                // Readers of the command's output wait until every process has closed it.
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

    /// Ends what is left of the container, and undoes. For a command that became responsible because the supervisor was killed.
    ///
    /// - Throws: `RuntimeError` if a process of the container does not end, so that its mounts are still in use.
    func finish() throws(RuntimeError) {
        try endProcesses()
        _ = undo(ContainerEnding(.recovered))
    }

    /// Undoes and forgets a container that is not created.
    func abandon() {
        if record.phase != .attaching { removeFromRuntime() }
        _ = undo(ContainerEnding(.notStarted))
        forgetOrWarn()
    }

    /// Removes what is known of the container, but for the plugins that are owed their detach.
    func forget() throws(RuntimeError) {
        // A damaged stack counts as empty.
        let stack = if case .stack(let stack) = try folder.readStack() { stack } else { AppliedStack() }
        let owed = stack.owed
        let isUnasked = stack.plugins.contains { ($0.state == .attached || $0.state == .attaching) && !owed.contains($0) }
        // The worker may have failed before it asked, for example for want of descriptors. The next command tries again.
        if isUnasked, (try folder.record())?.phase != .ended {
            throw RuntimeError(.teardown, "container \(record.id): it is kept, since its plugins have not been asked to detach")
        }
        if !owed.isEmpty {
            // The worker could not write it.
            guard moveOwed(stack) else {
                throw RuntimeError(.teardown, "container \(record.id): it is kept, since plugins are owed their detach")
            }
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
            // The engine has seen the supervisor's end and regards it as the container's.
            if process.isAlive {
                try? process.signal(SIGKILL)
                if !process.waitUntilEnded(Deadline(after: Self.killLimit)) {
                    throw RuntimeError(
                        .teardown, "process \(process.process) of container \(record.id) does not end; its mounts are still in use")
                }
            }
            if !record.ownsProcesses { killProcesses() }
        } else if record.phase == .creating {
            removeFromRuntime()
        }
    }

    /// Makes the delegate runtime end and forget a container that is not to start, or whose supervisor was killed.
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
        // An earlier worker may have been killed after its work was done.
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
        // An earlier worker, which was killed, may have recorded a failure.
        return stack.hasFailed || stack.stopped != nil ? ending.statusAfterFailure : outcome.exitStatus(for: ending.status)
    }

    /// Moves the plugins that are owed a detach out of the container's folder, so that the next container can have this id.
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
                // Not by the store, which would remove durable files: they stay until the plugin has been asked.
                try folder.write(rest)
            } catch {
                throw RuntimeError(.state, error.message, cause: error)
            }
            return true
        } catch {
            log.warning("container \(record.id): \(error.message)")
            return false
        }
    }

    /// Restores config.json, since the delegate runtime has read it and the bundle may be used again. A file that was written since stays.
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

/// The background process of ``Aftermath/undoInBackground()``.
struct BackgroundUndoing {
    /// Nil if the work is done already.
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
