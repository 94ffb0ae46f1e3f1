// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import OCIRuntime

/// `kill`.
struct KillCommand {
    let invocation: Invocation
    let selection: ContainerSelection

    /// While plugins detach, the engine still sees the supervisor and sends signals to the container, which has no process left. These
    /// succeed and do nothing, since an error would make the engine regard the container as gone.
    func run() throws(RuntimeError) -> Int32 {
        guard case .id(let id) = selection, let managed = try ManagedContainer(id, invocation: invocation) else { invocation.handOver() }
        if let process = managed.record.process, !process.isAlive, try managed.folder.attemptLock() == nil { return 0 }
        managed.releaseGroups()
        invocation.handOver(to: DelegateRuntime(recorded: managed.record.runtime))
    }
}
