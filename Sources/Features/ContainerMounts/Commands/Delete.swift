// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import OCIRuntime

/// `delete`.
///
/// If the container's shim has died, containerd gives `delete` 5 seconds; after that it shows the container as running forever. So work of
/// plugins that takes longer than 3 seconds is left to a process in the background. The next `create` of that id waits for that process.
struct DeleteCommand {
    let invocation: Invocation
    let selection: ContainerSelection
    let isForced: Bool

    /// The time for the whole command, without the delegate runtime's share.
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

    /// Before the delegate runtime deletes the container: if its responsible process was killed, starts undoing in the background.
    ///
    /// - Returns: nil if another process is responsible.
    private func claim(_ container: ManagedContainer, until deadline: Deadline) throws(RuntimeError) -> BackgroundUndoing? {
        if let aftermath = try container.claim() {
            try aftermath.endProcesses()
            return aftermath.undoInBackground()
        }
        if container.record.process?.isAlive == true || container.record.process == nil { return nil }
        container.folder.markDeleted()
        return try waitForAftermath(of: container, until: deadline)?.undoInBackground()
    }

    /// Whether the delegate runtime has deleted the container. If so, its supervisor sees the end and undoes.
    private func isDeleted(_ container: ManagedContainer, after status: Int32) -> Bool {
        if status == 0 { return true }
        // Without force, a container that is being created stays.
        return container.record.process.map { !$0.isAlive } ?? isForced
    }

    /// - Returns: nil if all has been undone and forgotten, or if another process is still doing that.
    private func waitForAftermath(of container: ManagedContainer, until deadline: Deadline) throws(RuntimeError) -> Aftermath? {
        guard let aftermath = try container.claim(until: deadline) else { return nil }
        try aftermath.endProcesses()
        return aftermath
    }
}
