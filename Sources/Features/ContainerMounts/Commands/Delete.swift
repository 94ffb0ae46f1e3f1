// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import OCIRuntime

/// `delete`.
///
/// containerd gives it 5 seconds where the shim of the container has died, and takes the container for running for ever if it is longer.
/// So what plugins have to do after 3 seconds is left to a process of its own, for which the next `create` of that id waits.
struct DeleteCommand {
    let invocation: Invocation
    let selection: ContainerSelection
    let isForced: Bool

    /// From the beginning to the end, but for what the runtime below needs.
    private static let limit = Duration.seconds(3)

    func run() throws(RuntimeError) -> Int32 {
        let containers = try selected()
        guard let first = containers.first else { invocation.handOver() }
        let deadline = Deadline(after: Self.limit)
        var pending: [BackgroundUndoing?] = []
        for container in containers {
            container.releaseGroups(until: deadline)
            pending.append(try claim(container, until: deadline))
        }
        let status = try invocation.passOn(to: DelegateRuntime(recorded: first.record.runtime))
        for (container, undoing) in zip(containers, pending) {
            if let undoing {
                undoing.wait(until: deadline)
            } else if isDeleted(container, after: status) {
                container.folder.markDeleted()
                try waitForAftermath(of: container, until: deadline)?.undoInBackground().wait(until: deadline)
            }
        }
        return status
    }

    private func selected() throws(RuntimeError) -> [ManagedContainer] {
        let ids: [ContainerID]
        switch selection {
        case .id(let id): ids = [id]
        case .matching(let expression):
            let all = ContainerFolder.all(in: invocation.places.state, root: invocation.line.root)
            ids = RegularExpression.filter(all.map(\.text), by: expression).compactMap { try? ContainerID($0) }
        }
        var found: [ManagedContainer] = []
        for id in ids { if let managed = try ManagedContainer(id, invocation: invocation) { found.append(managed) } }
        return found
    }

    /// Before the runtime below deletes it: if nobody is responsible for the container any more, has it undone.
    ///
    /// - Returns: nil if somebody is.
    private func claim(_ container: ManagedContainer, until deadline: Deadline) throws(RuntimeError) -> BackgroundUndoing? {
        if let aftermath = try container.claim() {
            try aftermath.endProcesses()
            return aftermath.undoInBackground()
        }
        if container.record.process?.isAlive == true || container.record.process == nil { return nil }
        container.folder.markDeleted()
        return try waitForAftermath(of: container, until: deadline)?.undoInBackground()
    }

    /// After the runtime below was to delete it, whether it has: then its supervisor sees the end of it, and undoes.
    private func isDeleted(_ container: ManagedContainer, after status: Int32) -> Bool {
        if status == 0 { return true }
        // Without force, one that is being created stays.
        return container.record.process.map { !$0.isAlive } ?? isForced
    }

    /// - Returns: nil if all has been undone and forgotten, or if somebody else is still at it, who forgets it then.
    private func waitForAftermath(of container: ManagedContainer, until deadline: Deadline) throws(RuntimeError) -> Aftermath? {
        guard let aftermath = try container.claim(until: deadline) else { return nil }
        try aftermath.endProcesses()
        return aftermath
    }
}
