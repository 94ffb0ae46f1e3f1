// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import PluginClient
import SystemPackage

/// What `run` and `restore` do after a container has been created: start it, and wait for its end unless it is detached.
struct ForegroundContainer {
    let invocation: Invocation
    let id: ContainerID
    let runtime: DelegateRuntime
    let record: SupervisionState
    /// This process's child.
    let supervisor: Int32
    let console: Console?
    let isStarted: Bool
    let isForeground: Bool
    let isKept: Bool

    func run() throws(RuntimeError) -> Int32 {
        // Every signal is blocked before the container runs, so that none is lost.
        let signals: SignalQueue?
        do throws(SystemError) {
            signals = isForeground ? try SignalQueue() : nil
        } catch {
            throw RuntimeError(.local, "cannot wait for signals: \(error)", cause: error)
        }
        if !isStarted {
            if let managed = try ManagedContainer(id, invocation: invocation) { managed.releaseGroups() }
            let status = try command(["start", id.text])
            if status != 0 {
                _ = try command(["delete", "--force", id.text])
                try ManagedContainer(id, invocation: invocation)?.clear()
                return status
            }
        }
        guard let signals else { return 0 }
        let status = try wait(signals)
        if isKept { return status }
        // Before the delete: if the supervisor was killed, the container may still run.
        try ManagedContainer(id, invocation: invocation)?.clear()
        _ = try command(["delete", "--force", id.text])
        return status
    }

    private func command(_ words: [String]) throws(RuntimeError) -> Int32 {
        let list = (record.arguments + words).map { RuntimeArgument.text($0) }
        return try runtime.run(invocation.arguments(list)).exitStatus
    }

    /// Passes signals and the terminal's input on until the supervisor ends.
    private func wait(_ signals: SignalQueue) throws(RuntimeError) -> Int32 {
        try console?.open()
        defer { console?.close() }
        let container = (try? ManagedContainer(id, invocation: invocation))?.record.process
        while true {
            while let ended = ChildProcess.reap() {
                if ended.process == supervisor {
                    console?.drain()
                    return ended.end.exitStatus
                }
            }
            var poll = Poll()
            poll.add(signals.descriptor.rawValue)
            console?.add(to: &poll)
            poll.wait(until: nil)
            console?.copy(poll)
            while let signal = signals.take() {
                switch signal.number {
                case SIGCHLD, SIGPIPE, SIGURG: break
                case SIGWINCH: console?.resize()
                // The signals of the terminal's keys go to the whole foreground group, but the container is not in it.
                default: try? container?.signal(signal.number)
                }
            }
        }
    }
}
