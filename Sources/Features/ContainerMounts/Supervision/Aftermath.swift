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
/// Four verbs: ``undo(after:)`` when the container has ended, ``finish()`` when nobody has seen whether it has, ``abandon()`` for one that
/// is not made, and ``forget()`` as the last.
struct Aftermath {
    let folder: ContainerFolder
    var record: ContainerRecord
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
    /// - Parameter status: with which the container's process ended.
    /// - Returns: the one to report.
    func undo(after status: Int32) -> Int32 {
        for _ in 0..<Self.attempts {
            do throws(SystemError) {
                var all = try LastProcess()
                let child = try ChildProcess.fork()
                if child == 0 {
                    setsid()
                    _exit(detachPlugins(after: status))
                }
                all.watch()
                if case .exited(let status) = try ChildProcess.wait(for: child) { return status }
                // It may have been about to send a request, which then is sent without it.
                _ = all.wait(until: Deadline(after: Self.lastRequestLimit))
            } catch {
                log.warning("container \(record.id): no process can be made to undo its mounts in: \(error)")
                return detachPlugins(after: status)
            }
        }
        log.warning("container \(record.id): the process that undoes its mounts was killed \(Self.attempts) times")
        return status == 0 ? 129 : status
    }

    /// Ends what is left of the container, and undoes. For a command that is responsible because all others have been killed.
    ///
    /// - Throws: `RuntimeError` if a process of the container does not end, so that its mounts are still in use.
    func finish() throws(RuntimeError) {
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
        _ = undo(after: 137)
    }

    /// Undoes and forgets a container that is not made.
    func abandon() {
        if record.phase != .attaching { removeFromRuntime() }
        _ = undo(after: 1)
        do throws(RuntimeError) {
            try forget()
        } catch {
            log.warning(error.message)
        }
    }

    /// Removes what is known of the container.
    func forget() throws(RuntimeError) {
        try folder.remove()
        withExtendedLifetime(lock) {}
    }

    // MARK: Parts

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
    private func detachPlugins(after status: Int32) -> Int32 {
        if record.phase == .ended { return status }
        restoreConfiguration()
        var outcome = UnwindingOutcome()
        var stack: AppliedStack
        do throws(RuntimeError) {
            stack = try folder.stack()
        } catch {
            log.warning("container \(record.id): it is not known which plugins are to detach: \(error.message)")
            return status == 0 ? 129 : status
        }
        if !stack.isEmpty {
            let actions = HostEmergencyActions(container: record.id.text, log: log, timeout: loader.timeout)
            outcome = stack.unwind(
                container: record.id.text, reason: .ended, exitStatus: status, record: folder, actions: actions
            ) { (name) throws(PluginFailure) in
                loader.plugin(name)
            }
            for failure in outcome.failures { log.warning("container \(record.id): \(failure)") }
        }
        var ended = record
        ended.phase = .ended
        do throws(RuntimeError) {
            try folder.write(ended)
        } catch {
            log.warning(error.message)
        }
        withExtendedLifetime(lock) {}
        // A process that was killed may have seen the failure.
        return status == 0 && (stack.hasFailed || stack.stopped != nil) ? 129 : outcome.exitStatus(for: status)
    }

    /// Puts config.json back as it was: the runtime below needs it no more, and who uses a bundle twice finds in it what he has put there.
    /// If somebody else has written the file since, it stays.
    func restoreConfiguration() {
        guard let written = record.writtenConfiguration, written.count == 2 else { return }
        unlink(BundleFile.draft(record.configuration))
        do throws(RuntimeError) {
            guard let before = try folder.configurationAsItWas(), let now = try? FileIdentity(at: record.configuration),
                now.device == written[0], now.inode == written[1]
            else { return }
            try BundleFile.replace(record.configuration, with: before)
        } catch {
            log.warning("container \(record.id): its config.json is not put back as it was: \(error.message)")
        }
    }
}
