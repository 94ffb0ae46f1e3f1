// SPDX-License-Identifier: AGPL-3.0-or-later

import OCIRuntime

/// `start`.
struct StartCommand {
    let invocation: Invocation
    let id: ContainerID

    /// Makes the supervisor leave the container's control groups before processes are counted or killed there.
    func run() throws(RuntimeError) -> Never {
        guard let managed = try ManagedContainer(id, invocation: invocation) else { invocation.handOver() }
        if !managed.isSettled, try managed.folder.attemptLock() == nil {
            throw RuntimeError(.busy, "container \(id) is still being created; start it when create has returned")
        }
        managed.releaseGroups()
        invocation.handOver(to: DelegateRuntime(recorded: managed.record.runtime))
    }
}
