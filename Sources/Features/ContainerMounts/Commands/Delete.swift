// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import OCIRuntime

/// `delete`.
struct DeleteCommand {
    let invocation: Invocation
    let selection: ContainerSelection
    let isForced: Bool

    func run() throws(RuntimeError) -> Int32 {
        let containers = try selected()
        guard let first = containers.first else { invocation.handOver() }
        var taken: [Aftermath?] = []
        for container in containers {
            container.releaseGroups()
            taken.append(try takeOver(container))
        }
        let status = try invocation.passOn(to: RuntimeBelow(recorded: first.record.runtime))
        for (container, aftermath) in zip(containers, taken) {
            if let aftermath {
                try aftermath.forget()
            } else if isDeleted(container, after: status) {
                try container.clear()
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
    /// - Returns: nil if its supervisor is there and the container has not ended yet.
    private func takeOver(_ container: ManagedContainer) throws(RuntimeError) -> Aftermath? {
        if let aftermath = try container.takeOver() {
            try aftermath.finish()
            return aftermath
        }
        if container.record.process?.isAlive == true || container.record.process == nil { return nil }
        let aftermath = try container.waitForAftermath()
        try aftermath?.finish()
        return aftermath
    }

    /// After the runtime below was to delete it, whether it has: then its supervisor sees the end of it, and undoes.
    private func isDeleted(_ container: ManagedContainer, after status: Int32) -> Bool {
        if status == 0 { return true }
        // Without force, one that is being created stays.
        return container.record.process.map { !$0.isAlive } ?? isForced
    }
}
