// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// The process that the engine takes for the container's: it creates the container by the runtime below, is the parent of its first
/// process, and ends when that has ended and the plugins have been asked to detach, with the exit status that then holds.
///
/// A single thread that only waits, and passes signals on. Engines and people find by its id what is the container's: `docker stats` its
/// network, podman's `cp` its files, nsenter(1) all of it. So it is in the container's namespaces, but for those of process ids and
/// users, which a process cannot be in for a while. In its control groups it is only until the container starts. It enters the mount
/// namespace as the last thing, since no path means the same there, and leaves it as the first, since its mounts would live on.
struct Supervisor {
    var aftermath: Aftermath
    let runtime: DelegateRuntime
    /// Of the runtime's `create`, or of a `restore` that is detached.
    var arguments: OriginalArguments
    let isRestore: Bool
    var input: RuntimeInput
    /// Where the caller wants this process's id.
    let pidFile: String?

    private var folder: ContainerFolder { aftermath.folder }
    private var record: ContainerRecord { aftermath.record }
    private var log: RuntimeLog { aftermath.log }

    /// Where the runtime below writes the id of the container's first process.
    static func pidFile(in folder: ContainerFolder) -> FilePath { folder.path.appending("pid") }

    /// A restored container has run by the time its engine looks for its control groups.
    private static let graceOfRestored = Duration.seconds(10)

    /// Does it all, in a process that has just been made for it.
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
            log.error(error.message)
            status = 1
        }
        // The runtime below cannot remove groups that this process is in.
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
            throw RuntimeError("cannot supervise the container: \(error)")
        }
        aftermath.record.supervisor = ProcessIdentity(of: getpid())
        aftermath.record.phase = .creating
        try folder.write(record)
        return signals
    }

    // MARK: Creating

    /// Looks where this process is while the runtime works: nobody has to wait for it then.
    private func findHome(whileRunning child: Int32) throws(RuntimeError) -> SupervisorHome {
        do throws(SystemError) {
            return try SupervisorHome()
        } catch {
            kill(child, SIGKILL)
            _ = try? ChildProcess.wait(for: child)
            throw RuntimeError("cannot supervise the container: \(error)")
        }
    }

    /// - Returns: the runtime's exit status if it has failed, and said why itself.
    private mutating func create(_ child: Int32, _ children: ChildEvents, _ statusPipe: CreationStatusPipe) throws(RuntimeError) -> Int32? {
        let end = waitForRuntime(child, children, statusPipe)
        guard end == .exited(0) else {
            // One that has ended by itself has undone what it did. What has this id now may be another's container.
            if case .exited = end { aftermath.record.phase = .attaching }
            return end.exitStatus == 0 ? 1 : end.exitStatus
        }
        let file = Self.pidFile(in: folder)
        guard let text = try? readWholeFile(file, limit: 32),
            let process = Int32(String(decoding: text.filter { $0 > 0x20 }, as: UTF8.self)),
            let identity = ProcessIdentity(of: process)
                ?? children.end(of: process).map({ _ in ProcessIdentity(process: process, startTime: 0) })
        else { throw RuntimeError("\(runtime.path) has not said in \(file) which process it has made") }
        aftermath.restoreConfiguration()
        aftermath.record.writtenConfiguration = nil
        aftermath.record.process = identity
        aftermath.record.phase = .created
        try folder.write(record)
        return nil
    }

    /// Waits without a limit of its own, as the engine would: it is over when the engine ends the program that it waits for.
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
        guard let process = record.process?.process else { throw RuntimeError("the container has no process") }
        // A restored container runs already, and may have ended.
        let hasEnded = children.end(of: process) != nil
        if !hasEnded {
            try input.verify(in: process)
            try sayMounted(process)
        }
        // Before their numbers can be those of other descriptors.
        input.sources.release()
        do throws(SystemError) {
            let doorbell = try DoorbellSocket(at: FilePath(folder.control))
            if !hasEnded { try join(process, home) }
            if let pidFile { try replaceFile(FilePath(pidFile), with: Array("\(getpid())".utf8), mode: 0o644, durable: false) }
            if statusPipe.isAbandoned { throw SystemError("create", .canceled, on: "the container, because its caller has gone") }
            // Whoever reads the container's output waits for all who could still write.
            try ChildProcess.releaseDescriptors(
                except: [
                    statusPipe.writing, doorbell.descriptor, children.signals.descriptor, aftermath.lock.descriptor,
                ] + home.namespaces.descriptors)
            return doorbell
        } catch {
            throw RuntimeError("cannot supervise the container: \(error)")
        }
    }

    private func join(_ process: Int32, _ home: SupervisorHome) throws(SystemError) {
        try home.enter(try Namespaces(of: process, [.network]))
        home.isInContainersGroups = true
        do throws(SystemError) {
            try ControlGroups(of: process).join(through: home.groupMounts)
        } catch {
            // An engine without root may move its processes only below what it has been given, and counts without us there.
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
            throw RuntimeError("\(error)")
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
                // Where that fails, an engine finds the container's network all the same, and its groups.
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
        // That it has ended is what the next look at the children says.
        // As its parent, this process knows that nobody else has the number; and there may be no /proc to look it up in.
        default: if let process = record.process?.process { kill(process, signal.number) }
        }
    }

    // MARK: Ending

    private func tearDown(_ home: SupervisorHome, _ doorbell: DoorbellSocket, after end: ProcessEnd) -> Int32 {
        do throws(SystemError) {
            try home.goBack()
        } catch {
            // Paths would mean the container's files here. Who deletes the container finds that nobody is responsible, and undoes.
            return end.exitStatus == 0 ? 129 : end.exitStatus
        }
        leaveGroups(home)
        // Nobody has to wait for anything here from now on.
        doorbell.close()
        unlink(folder.control)
        if !record.ownsProcesses { aftermath.killProcesses() }
        return aftermath.undo(ContainerEnding(.ended, exitStatus: end.exitStatus))
    }
}
