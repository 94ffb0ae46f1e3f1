// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import MountPointChain
import OCIRuntime

/// Keeps the applied stack of a container in its folder, and keeps persistent plugins where a reboot does not lose them.
final class ContainerStackStore: AppliedStackStore {
    private let folder: ContainerFolder
    private let owed: OwedDetaches
    private let record: SupervisionState
    /// Whether every plugin is asked to detach after a reboot, even one that did not ask for it.
    private let persistsAll: Bool
    /// What has been made durable for the plugin that is being asked to attach.
    private var attaching: OwedDetach?

    init(_ folder: ContainerFolder, _ owed: OwedDetaches, _ record: SupervisionState, persistsAll: Bool = false) {
        self.folder = folder
        self.owed = owed
        self.record = record
        self.persistsAll = persistsAll
    }

    /// Makes the plugin durable before the request is sent, since the plugin may have acted when the power fails.
    func prepare(_ stack: AppliedStack) throws(StackStoreError) -> PreparedRename {
        if let last = stack.plugins.last, last.state == .attaching, last.persistent || persistsAll { attaching = try persist(stack) }
        return try folder.prepare(stack)
    }

    func write(_ stack: AppliedStack) throws(StackStoreError) {
        var failure: StackStoreError?
        do throws(StackStoreError) {
            if let last = stack.plugins.last, last.state == .attached || last.state == .attaching {
                // Its next detach also covers an earlier container with this id.
                owed.remove(last.name, isDurableToo: false)
                // Written again with the mounts, which are known only now.
                if let attaching, attaching.name.utf8.elementsEqual(last.name.utf8) { _ = try persist(stack) }
            }
            attaching = nil
        } catch {
            failure = error
        }
        do throws(StackStoreError) {
            try folder.write(stack)
        } catch {
            failure = failure ?? error
        }
        for name in owed.persisted(in: Boot(record.boot)) where !stack.plugins.contains(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
            owed.remove(name, isDurableToo: true)
        }
        if let failure { throw failure }
    }

    /// Makes the last plugin of the stack durable.
    private func persist(_ stack: AppliedStack) throws(StackStoreError) -> OwedDetach? {
        let one = OwedDetach(
            at: stack.plugins.count - 1, of: stack, boot: Boot(record.boot), id: record.id, timeout: record.timeout)
        do throws(RuntimeError) {
            if let one { try owed.persist(one) }
        } catch {
            throw StackStoreError(error.message, cause: error)
        }
        return one
    }
}
