// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import OCIRuntime

/// `kill`.
struct KillCommand {
    let invocation: Invocation
    let selection: ContainerSelection

    /// While the plugins detach, the engine still sees the container's process, and sends it signals. The container has none left that
    /// could take them, and a refusal would have the engine take the container for gone.
    func run() throws(RuntimeError) -> Int32 {
        guard case .id(let id) = selection, let managed = try ManagedContainer(id, invocation: invocation) else { invocation.handOver() }
        if let process = managed.record.process, !process.isAlive, try managed.folder.attemptLock() == nil { return 0 }
        managed.releaseGroups()
        invocation.handOver(to: DelegateRuntime(recorded: managed.record.runtime))
    }
}
