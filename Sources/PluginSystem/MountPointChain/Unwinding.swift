// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import JSON

extension AppliedStack {
    /// Asks the plugins to detach, last first, each at most once, and takes them out of the stack.
    ///
    /// Works for a stack that an earlier process left at any point. A plugin whose request to detach was sent by that process is not
    /// asked again. One of which it is not known whether it attached is asked, and if that fails, it is only a warning. A stack
    /// that has ``stopped`` stays as it is. What could not be asked stays in the stack as ``owed``.
    ///
    /// - Parameters:
    ///   - reason: for the plugins, like `exitStatus`, which is that of the container's first process.
    ///   - store: a failure of it is a warning, and keeps no plugin from being asked.
    ///   - plugin: finds a plugin by its name, one that has left the chain, too.
    public mutating func unwind(
        container: String, reason: DetachReason = .ended, exitStatus: Int32? = nil, store: some AppliedStackStore,
        actions: some EmergencyActions, plugin: (String) throws(ChainedPluginError) -> any ChainedPlugin
    ) -> UnwindingOutcome {
        if !isUnwound { ending = ContainerEnding(reason, exitStatus: exitStatus) }
        var unwinding = Unwinding(container: container, store: store, actions: actions)
        unwinding.run(&self, plugin: plugin)
        return unwinding.outcome
    }

    /// Asks the plugins that are ``owed`` a detach again, last attached first, and removes each that got its request from the stack. To be
    /// called when unwinding is over and no other process is responsible for the container.
    ///
    /// A plugin that still cannot be reached stays owed; that is a failure, and the next one is asked all the same. A failure that is not
    /// recoverable leaves the plugins below owed. When no plugin is owed a detach any more, the stack is empty and not ``stopped``.
    ///
    /// - Parameter name: of the only plugin to ask, without `plugin:`; nil for all.
    public mutating func askAgain(
        container: String, only name: String? = nil, store: some AppliedStackStore, actions: some EmergencyActions,
        plugin: (String) throws(ChainedPluginError) -> any ChainedPlugin
    ) -> UnwindingOutcome {
        var unwinding = Unwinding(container: container, store: store, actions: actions)
        unwinding.runAgain(&self, only: name, plugin: plugin)
        return unwinding.outcome
    }
}

struct Unwinding<Store: AppliedStackStore, Actions: EmergencyActions> {
    typealias Finding = (String) throws(ChainedPluginError) -> any ChainedPlugin

    let container: String
    let store: Store
    let actions: Actions
    private(set) var outcome = UnwindingOutcome()

    init(container: String, store: Store, actions: Actions) {
        self.container = container
        self.store = store
        self.actions = actions
    }

    mutating func run(_ stack: inout AppliedStack, plugin find: Finding) {
        while stack.stopped == nil, let index = stack.plugins.lastIndex(where: { $0.state != .owed }) {
            let entry = stack.plugins[index]
            let failuresBefore = outcome.failures.count
            var wasSent = true
            if entry.state == .detaching {
                warnOfRepetition(entry)
            } else {
                wasSent = detach(index, of: stack, plugin: find)
            }
            if wasSent { stack.plugins.remove(at: index) } else { stack.plugins[index].state = .owed }
            if outcome.failures.count > failuresBefore { stack.hasFailed = true }
            if outcome.isFatal { stack.stopped = outcome.failures[failuresBefore...].joined(separator: "; ") }
            keep(stack)
        }
        if let stopped = stack.stopped, !stack.isEmpty {
            let names = stack.plugins.reversed().map { "plugin:\($0.name)" }.joined(separator: ", ")
            warn("not asked to detach: \(names); undoing has stopped: \(stopped)")
        }
    }

    mutating func runAgain(_ stack: inout AppliedStack, only name: String?, plugin find: Finding) {
        // An earlier process that asked again was killed before the answer.
        for index in stack.plugins.indices.reversed() where stack.plugins[index].state == .detaching {
            warnOfRepetition(stack.plugins[index])
            stack.plugins.remove(at: index)
            keep(stack)
        }
        for index in stack.plugins.indices.reversed() {
            let entry = stack.plugins[index]
            if outcome.isFatal { break }
            if let name, !name.utf8.elementsEqual(entry.name.utf8) { continue }
            if entry.state != .owed && stack.stopped == nil { continue }
            if detachAgain(index, of: stack, plugin: find) { stack.plugins.remove(at: index) }
            if stack.isEmpty { stack.stopped = nil }
            keep(stack)
        }
    }

    mutating func keep(_ stack: AppliedStack) {
        do throws(StackStoreError) {
            try store.write(stack)
        } catch {
            warn("cannot record which plugins are left to detach: \(error.message)")
        }
    }

    private mutating func warn(_ text: String) {
        let text = SanitizedText(text).text
        actions.warn(text)
        outcome.warnings.append(text)
    }

    private mutating func warnOfRepetition(_ entry: AppliedPlugin) {
        warn("plugin:\(entry.name) was asked to detach by a process that ended before the answer; it is not asked again")
    }

    /// - Returns: whether the request may have been sent.
    private mutating func detach(_ index: Int, of stack: AppliedStack, plugin find: Finding) -> Bool {
        let entry = stack.plugins[index]
        do throws(ChainedPluginError) {
            note(try ask(index, of: stack, plugin: find), of: entry)
        } catch {
            if entry.state == .attaching {
                warn("plugin:\(entry.name), which may have attached, did not detach: \(error.message)")
            } else {
                performEmergencyActions(of: entry, after: error)
            }
            return error.kind != .notSent
        }
        return true
    }

    /// - Returns: whether the request may have been sent.
    private mutating func detachAgain(_ index: Int, of stack: AppliedStack, plugin find: Finding) -> Bool {
        let entry = stack.plugins[index]
        do throws(ChainedPluginError) {
            note(try ask(index, of: stack, plugin: find), of: entry)
        } catch {
            if error.kind == .notSent {
                fail("plugin:\(entry.name) cannot be asked to detach: \(error.message)", isFatal: false)
                return false
            }
            if entry.state == .attached {
                performEmergencyActions(of: entry, after: error)
            } else {
                fail("plugin:\(entry.name) did not detach: \(error.message)", isFatal: false)
            }
        }
        return true
    }

    private mutating func note(_ response: MountPointDetachResponse, of entry: AppliedPlugin) {
        if response.success { return }
        let text = "plugin:\(entry.name) did not detach: \(response.err.isEmpty ? noReason : response.err)"
        if entry.state == .attaching { warn(text) } else { fail(text, isFatal: !response.recoverable) }
    }

    private mutating func ask(
        _ index: Int, of stack: AppliedStack, plugin find: Finding
    ) throws(ChainedPluginError) -> MountPointDetachResponse {
        let entry = stack.plugins[index]
        let plugin = try find(entry.name)
        let request = MountPointDetachRequest(
            id: container, exitStatus: stack.ending?.exitStatus, reason: stack.ending?.reason ?? .unspecified,
            mounts: entry.mounts.map { AttachedMount(destination: $0.destination, effectiveSource: $0.effectiveSource) })
        var asked = stack
        asked.plugins[index].state = .detaching
        let prepared: PreparedRename
        do throws(StackStoreError) {
            prepared = try store.prepare(asked)
        } catch {
            warn("cannot record that plugin:\(entry.name) is asked to detach: \(error.message)")
            return try plugin.detach(request, within: entry.detachTimeout, committing: nil)
        }
        do throws(ChainedPluginError) {
            return try plugin.detach(request, within: entry.detachTimeout, committing: prepared)
        } catch {
            guard error.kind == .notRecorded else { throw error }
            warn("cannot record that plugin:\(entry.name) is asked to detach: \(error.message)")
            return try plugin.detach(request, within: entry.detachTimeout, committing: nil)
        }
    }

    /// Performs the emergency actions that the plugin gave for each of its mounts.
    ///
    /// All actions are performed even if some fail, since unwinding stops only after this plugin. A path that could not be unmounted or
    /// removed must keep what is below it, so such a failure is fatal.
    private mutating func performEmergencyActions(of entry: AppliedPlugin, after failure: ChainedPluginError) {
        let cause = "plugin:\(entry.name) did not detach: \(failure.message)"
        warn(cause)
        if entry.mounts.isEmpty { fail("\(cause), and what it attached is not known", isFatal: true) }
        for mount in entry.mounts {
            if mount.emergencyDetach.isEmpty {
                fail("\(cause), and it gave no emergency action for \(mount.destination)", isFatal: true)
            }
            for action in mount.emergencyDetach { perform(action, of: entry) }
        }
    }

    private mutating func perform(_ action: EmergencyAction, of entry: AppliedPlugin) {
        switch action {
        case .nothing: break
        case .warning(let text): warn("plugin:\(entry.name): \(text)")
        case .error(let text): fail("plugin:\(entry.name): \(text)", isFatal: false)
        case .fatal(let text): fail("plugin:\(entry.name): \(text)", isFatal: true)
        case .remove(let path), .unmount(let path):
            do throws(EmergencyActionError) {
                guard path.isAbsolutePath else { throw EmergencyActionError("\(JSONValue.string(path)) is not an absolute path") }
                if case .remove = action { try actions.remove(path) } else { try actions.unmount(path) }
            } catch {
                fail("plugin:\(entry.name): an emergency action failed: \(error.message)", isFatal: true)
            }
        }
    }

    private mutating func fail(_ text: String, isFatal: Bool) {
        outcome.failures.append(SanitizedText(text).text)
        if isFatal { outcome.isFatal = true }
    }
}

extension String {
    /// Whether a system call can take it for an absolute path.
    var isAbsolutePath: Bool { utf8.first == UInt8(ascii: "/") && !utf8.contains(0) }
}
