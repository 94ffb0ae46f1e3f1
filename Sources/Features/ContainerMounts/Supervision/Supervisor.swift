// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// The process that the engine regards as the container's. It creates the container by the delegate runtime and is the parent of the
/// container's first process. When that process has ended and the plugins have been asked to detach, it ends with the resulting status.
///
/// It is a single thread that waits and forwards signals. Engines and people use its process id to find the container: `docker stats` its
/// network, podman's `cp` its files, nsenter(1) everything. So it joins the container's namespaces:
///
/// - Not those of process ids and users, since a process cannot leave these again.
/// - The control groups only until the container starts, so that it is not counted or killed there.
/// - The mount namespace last, since paths of the host mean other files there. It leaves it first, since the container's mounts would
///   otherwise stay in use.
struct Supervisor {
    var aftermath: Aftermath
    let runtime: DelegateRuntime
    /// Arguments of the delegate runtime's `create`, or of a detached `restore`.
    var arguments: OriginalArguments
    let isRestore: Bool
    var input: RuntimeInput
    /// The file that the caller wants this process's id in.
    let pidFile: String?

    private var folder: ContainerFolder { aftermath.folder }
    private var record: SupervisionState { aftermath.record }
    private var log: RuntimeLog { aftermath.log }

    /// The file to which the delegate runtime writes the id of the container's first process.
    static func pidFile(in folder: ContainerFolder) -> FilePath { folder.path.appending("pid") }

    /// How long the supervisor stays in the control groups of a restored container, so that its engine finds them.
    private static let graceOfRestored = Duration.seconds(10)

    /// Runs the supervisor to its end, in a process that was forked for it.
    ///
    /// - Returns: the process's exit status.
    mutating func run(_ statusPipe: CreationStatusPipe) -> Int32 {
        let status: Int32
        var entered: SupervisorHome?
        do throws(RuntimeError) {
            let children = ChildEvents(try detach())
            let child = try input.start(runtime, arguments, in: folder, noting: &aftermath.record)
            let home = try findHome(whileRunning: child)
            entered = home
            if let failed = try create(child, children, statusPipe) {
                status = failed
            } else {
                let doorbell = try settle(children, home, statusPipe)
                statusPipe.send(0)
                let end = watch(children, home, doorbell)
                return tearDown(home, doorbell, after: end)
            }
        } catch {
            log.error(error)
            status = 1
        }
        // The delegate runtime cannot remove control groups that this process is in.
        if let entered {
            try? entered.goBack()
            leaveGroups(entered)
        }
        input.sources.release()
        aftermath.abandon()
        statusPipe.send(status)
        return status
    }

    private mutating func detach() throws(RuntimeError) -> SignalQueue {
        setsid()
        let signals: SignalQueue
        do throws(SystemError) {
            try ChildProcess.becomeSubreaper()
            signals = try SignalQueue()
        } catch {
            throw RuntimeError(.local, "cannot supervise the container: \(error)", cause: error)
        }
        aftermath.record.supervisor = ProcessIdentity(of: getpid())
        aftermath.record.phase = .creating
        try folder.write(record)
        return signals
    }

    // MARK: Creating

    /// Opens the namespaces and control groups of this process while the runtime works, which saves time.
    private func findHome(whileRunning child: Int32) throws(RuntimeError) -> SupervisorHome {
        do throws(SystemError) {
            return try SupervisorHome()
        } catch {
            kill(child, SIGKILL)
            _ = try? ChildProcess.wait(for: child)
            throw RuntimeError(.local, "cannot supervise the container: \(error)", cause: error)
        }
    }

    /// - Returns: the runtime's exit status if it failed and reported why; nil if the container was created.
    private mutating func create(_ child: Int32, _ children: ChildEvents, _ statusPipe: CreationStatusPipe) throws(RuntimeError) -> Int32? {
        let end = waitForRuntime(child, children, statusPipe)
        guard end == .exited(0) else {
            // A runtime that exited has cleaned up. A container with this id may now belong to another caller, so it is not removed.
            if case .exited = end { aftermath.record.phase = .attaching }
            return end.exitStatus == 0 ? 1 : end.exitStatus
        }
        let file = Self.pidFile(in: folder)
        guard let text = try? readWholeFile(file, limit: 32),
            let process = Int32(String(decoding: text.filter { $0 > 0x20 }, as: UTF8.self)),
            let identity = ProcessIdentity(of: process)
                ?? children.end(of: process).map({ _ in ProcessIdentity(process: process, startTime: 0) })
        else { throw RuntimeError(.delegate, "\(runtime.path) has not said in \(file) which process it has made") }
        aftermath.restoreConfiguration()
        aftermath.record.writtenConfiguration = nil
        aftermath.record.process = identity
        aftermath.record.phase = .created
        try folder.write(record)
        return nil
    }

    /// Waits without a time limit, as the engine does. The wait is over when the engine ends the program that it waits for.
    private func waitForRuntime(_ child: Int32, _ children: ChildEvents, _ statusPipe: CreationStatusPipe) -> ProcessEnd {
        while true {
            if let end = children.end(of: child) { return end }
            if statusPipe.isAbandoned { kill(child, SIGKILL) }
            var poll = Poll()
            poll.add(children.signals.descriptor.rawValue)
            poll.add(statusPipe.isAbandoned ? nil : statusPipe.writing.rawValue, for: [])
            poll.wait(until: nil)
            while children.signals.take() != nil {}
        }
    }

    /// Everything that has to be in place before the engine hears that the container has been created.
    private func settle(_ children: ChildEvents, _ home: SupervisorHome, _ statusPipe: CreationStatusPipe) throws(RuntimeError)
        -> DoorbellSocket
    {
        guard let process = record.process?.process else { throw RuntimeError(.state, "the container has no process") }
        // A restored container runs already, and may have ended.
        let hasEnded = children.end(of: process) != nil
        if !hasEnded {
            try input.verify(in: process)
            try sayMounted(process)
        }
        // Before the descriptors are closed below, so that their numbers are not reused first.
        input.sources.release()
        do throws(SystemError) {
            let doorbell = try DoorbellSocket(at: FilePath(folder.control))
            if !hasEnded { try join(process, home) }
            if let pidFile { try replaceFile(FilePath(pidFile), with: Array("\(getpid())".utf8), mode: 0o644, durable: false) }
            if statusPipe.isAbandoned { throw SystemError("create", .canceled, on: "the container, because its caller has gone") }
            // Readers of the container's output wait until every process has closed it.
            try ChildProcess.releaseDescriptors(
                except: [
                    statusPipe.writing, doorbell.descriptor, children.signals.descriptor, aftermath.lock.descriptor,
                ] + home.namespaces.descriptors)
            return doorbell
        } catch {
            throw RuntimeError(.local, "cannot supervise the container: \(error)", cause: error)
        }
    }

    private func join(_ process: Int32, _ home: SupervisorHome) throws(SystemError) {
        try home.enter(try Namespaces(of: process, [.network]))
        home.isInContainersGroups = true
        do throws(SystemError) {
            try ControlGroups(of: process).join(through: home.groupMounts)
        } catch {
            // A rootless engine may move processes only within its own groups. Its figures then lack this process, which is harmless.
            if EffectiveUser.isRootOfHost { throw error }
        }
    }

    private func sayMounted(_ process: Int32) throws(RuntimeError) {
        let stack = try folder.stack()
        guard stack.wantsMounted else { return }
        do throws(ChainError) {
            try stack.reportMounted(container: record.id.text, pid: Int(process)) { (name) throws(ChainedPluginError) in
                aftermath.loader.plugin(name)
            }
        } catch {
            throw RuntimeError(error)
        }
    }

    // MARK: Watching

    /// - Returns: how the container's process ended.
    private func watch(_ children: ChildEvents, _ home: SupervisorHome, _ doorbell: DoorbellSocket) -> ProcessEnd {
        ChildProcess.releaseMemory()
        let leaveAt = isRestore ? Deadline(after: Self.graceOfRestored) : nil
        while true {
            if let end = children.end(of: record.process?.process ?? 0) { return end }
            children.forgetEnded()
            var poll = Poll()
            poll.add(children.signals.descriptor.rawValue)
            let rung = poll.add(doorbell.descriptor.rawValue)
            let waits = leaveAt != nil && home.isInContainersGroups
            poll.wait(until: waits ? leaveAt : nil)
            if poll.hasCome(at: rung) || (waits && leaveAt?.hasPassed == true) {
                doorbell.answer { leaveGroups(home) }
                leaveGroups(home)
                // If this fails, engines still find the container's network and control groups.
                try? home.enterMounts(of: record.process?.process ?? 0)
            }
            while let signal = children.signals.take() { passOn(signal) }
        }
    }

    private func leaveGroups(_ home: SupervisorHome) {
        guard home.isInContainersGroups else { return }
        do throws(SystemError) {
            try home.leaveGroups()
        } catch {
            log.warning("the supervisor of container \(record.id) stays in its control groups: \(error)")
        }
    }

    private func passOn(_ signal: SignalQueue.Signal) {
        switch signal.number {
        case SIGCHLD, SIGPIPE, SIGURG, SIGTSTP, SIGTTIN, SIGTTOU: break
        // The error is ignored: the end of the process is noticed by waiting for children.
        // Its parent can use the process id safely, since it is not reused before the parent waits. And /proc may be missing here.
        default: if let process = record.process?.process { kill(process, signal.number) }
        }
    }

    // MARK: Ending

    private func tearDown(_ home: SupervisorHome, _ doorbell: DoorbellSocket, after end: ProcessEnd) -> Int32 {
        do throws(SystemError) {
            try home.goBack()
        } catch {
            // Paths would mean the container's files here, so nothing is undone. The `delete` finds no responsible process, and undoes.
            return end.exitStatus == 0 ? 129 : end.exitStatus
        }
        leaveGroups(home)
        // Close the doorbell: later callers need no answer.
        doorbell.close()
        unlink(folder.control)
        if !record.ownsProcesses { aftermath.killProcesses() }
        return aftermath.undo(ContainerEnding(.ended, exitStatus: end.exitStatus))
    }
}
