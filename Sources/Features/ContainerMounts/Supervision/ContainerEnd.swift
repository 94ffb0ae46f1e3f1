// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import MountPointChain
import PluginClient
import SystemPackage

/// What is done when a container has ended, by whoever is responsible for it then: its supervisor, the program that creates it, or
/// a `delete` that finds that both have been killed.
struct ContainerEnd {
    let folder: ContainerFolder
    let record: ContainerRecord
    let loader: PluginLoader
    let log: RuntimeLog

    /// For a command of the runtime below that only has to send signals.
    private static let runtimeLimit = Duration.seconds(20)
    /// For a request that is being sent: a few system calls that do not block.
    private static let lastRequestLimit = Duration.seconds(10)
    /// How often a process that undoes is made anew if it is killed. It never asks a plugin twice, so each one gets further.
    private static let attempts = 16

    // MARK: The runtime below

    /// Has it end and forget a container that is not to start, or whose supervisor has been killed.
    func removeFromRuntime() { command(["delete", "--force", record.id]) }

    /// Ends what is left of a container that shares its process id namespace. Engines do so too, but only after this.
    func killProcesses() { command(["kill", "--all", record.id, "KILL"]) }

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

    // MARK: The plugins

    /// Asks the plugins to detach, and puts config.json back as it was.
    ///
    /// - Parameter status: with which the container's process ended.
    /// - Returns: the one to report.
    func tearDown(after status: Int32) -> Int32 {
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
            let actions = HostEmergencyActions(container: record.id, log: log, timeout: loader.timeout)
            outcome = stack.unwind(container: record.id, record: folder, actions: actions) { (name) throws(PluginFailure) in
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
        // A process that was killed may have seen the failure.
        return status == 0 && (stack.hasFailed || stack.stopped != nil) ? 129 : outcome.exitStatus(for: status)
    }

    /// The same, by a process of its own, and again by another one if that is killed.
    ///
    /// An engine that has lost its patience kills the process that it takes for the container's, and ends commands that take it too
    /// long. The one that asks the plugins is neither.
    func tearDownApart(after status: Int32) -> Int32 {
        for _ in 0..<Self.attempts {
            do throws(SystemError) {
                var all = try LastProcess()
                let child = try ChildProcess.fork()
                if child == 0 {
                    setsid()
                    _exit(tearDown(after: status))
                }
                all.watch()
                if case .exited(let status) = try ChildProcess.wait(for: child) { return status }
                // It may have been about to send a request, which then is sent without it.
                _ = all.wait(until: Deadline(after: Self.lastRequestLimit))
            } catch {
                log.warning("container \(record.id): no process can be made to undo its mounts in: \(error)")
                return tearDown(after: status)
            }
        }
        log.warning("container \(record.id): the process that undoes its mounts was killed \(Self.attempts) times")
        return status == 0 ? 129 : status
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
