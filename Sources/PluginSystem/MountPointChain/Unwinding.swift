// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON

/// How it went to have the plugins of a container detach.
public struct UnwindingOutcome: Sendable, Equatable {
    /// What somebody may want to know, and what is no failure of the container. Each has been logged already.
    public internal(set) var warnings: [String] = []
    /// Why the container counts as failed; one line each, naming the plugin.
    public internal(set) var failures: [String] = []
    /// Whether a failure has stopped the unwinding, so that the plugins left in the stack were not asked.
    public internal(set) var isFatal = false

    public init() {}

    /// What is to be reported in the place of the status with which the container's process ended: 129 for 0 after any failure.
    public func exitStatus(for containerStatus: Int32) -> Int32 {
        containerStatus == 0 && !failures.isEmpty ? 129 : containerStatus
    }
}

extension AppliedStack {
    /// Asks the plugins to detach, last first, each at most once, and takes them out of the stack.
    ///
    /// Works for a stack that an earlier process left at any point. A plugin whose request to detach was sent by that process is not
    /// asked again. One of which it is not known whether it attached is asked, and if that fails, it is only a warning. A stack
    /// that has ``stopped`` stays as it is.
    ///
    /// - Parameters:
    ///   - record: a failure of it is a warning, and keeps no plugin from being asked.
    ///   - plugin: finds a plugin by its name, one that has left the chain, too.
    public mutating func unwind(
        container: String, record: some AppliedStackRecord, actions: some EmergencyActions,
        plugin: (String) throws(PluginFailure) -> any ChainedPlugin
    ) -> UnwindingOutcome {
        var unwinding = Unwinding(container: container, record: record, actions: actions)
        unwinding.run(&self, plugin: plugin)
        return unwinding.outcome
    }
}

struct Unwinding<Record: AppliedStackRecord, Actions: EmergencyActions> {
    let container: String
    let record: Record
    let actions: Actions
    private(set) var outcome = UnwindingOutcome()

    init(container: String, record: Record, actions: Actions) {
        self.container = container
        self.record = record
        self.actions = actions
    }

    mutating func run(_ stack: inout AppliedStack, plugin find: (String) throws(PluginFailure) -> any ChainedPlugin) {
        while stack.stopped == nil, let entry = stack.plugins.last {
            let failuresBefore = outcome.failures.count
            if entry.state == .detaching {
                warn("plugin:\(entry.name) was asked to detach by a process that ended before the answer; it is not asked again")
            } else {
                detach(entry, of: stack, plugin: find)
            }
            stack.plugins.removeLast()
            if outcome.failures.count > failuresBefore { stack.hasFailed = true }
            if outcome.isFatal { stack.stopped = outcome.failures[failuresBefore...].joined(separator: "; ") }
            keep(stack)
        }
        if let stopped = stack.stopped, !stack.isEmpty {
            let names = stack.plugins.reversed().map { "plugin:\($0.name)" }.joined(separator: ", ")
            warn("not asked to detach: \(names); undoing has stopped: \(stopped)")
        }
    }

    mutating func keep(_ stack: AppliedStack) {
        do throws(RecordFailure) {
            try record.write(stack)
        } catch {
            warn("cannot record which plugins are left to detach: \(error.message)")
        }
    }

    private mutating func warn(_ text: String) {
        actions.warn(text)
        outcome.warnings.append(text)
    }

    private mutating func detach(
        _ entry: AppliedPlugin, of stack: AppliedStack, plugin find: (String) throws(PluginFailure) -> any ChainedPlugin
    ) {
        let response: MountPointDetachResponse
        do throws(PluginFailure) {
            response = try ask(try find(entry.name), for: entry, of: stack)
        } catch {
            if entry.state == .attaching {
                warn("plugin:\(entry.name), which may have attached, did not detach: \(error.message)")
            } else {
                takeEmergencyActions(of: entry, after: error)
            }
            return
        }
        if response.success { return }
        let text = "plugin:\(entry.name) did not detach: \(response.err.isEmpty ? noReason : response.err)"
        if entry.state == .attaching {
            warn(text)
        } else {
            outcome.failures.append(text)
            if !response.recoverable { outcome.isFatal = true }
        }
    }

    private mutating func ask(
        _ plugin: any ChainedPlugin, for entry: AppliedPlugin, of stack: AppliedStack
    ) throws(PluginFailure) -> MountPointDetachResponse {
        var asked = stack
        asked.plugins[asked.plugins.count - 1].state = .detaching
        let prepared: PreparedRecord
        do throws(RecordFailure) {
            prepared = try record.prepare(asked)
        } catch {
            warn("cannot record that plugin:\(entry.name) is asked to detach: \(error.message)")
            return try plugin.detach(container, committing: nil)
        }
        do throws(PluginFailure) {
            return try plugin.detach(container, committing: prepared)
        } catch {
            guard error.kind == .notRecorded else { throw error }
            warn("cannot record that plugin:\(entry.name) is asked to detach: \(error.message)")
            return try plugin.detach(container, committing: nil)
        }
    }

    /// Does what the plugin asked for in the case that it cannot be asked itself, for each of its mounts.
    ///
    /// A fatal action ends the actions of its mount; those of the plugin's other mounts are still carried out, since unwinding stops
    /// only after this plugin.
    private mutating func takeEmergencyActions(of entry: AppliedPlugin, after failure: PluginFailure) {
        let cause = "plugin:\(entry.name) did not detach: \(failure.message)"
        warn(cause)
        if entry.mounts.isEmpty { fail("\(cause), and what it attached is not known", isFatal: true) }
        for mount in entry.mounts {
            if mount.emergencyDetach.isEmpty {
                fail("\(cause), and it gave no emergency action for \(mount.destination)", isFatal: true)
            }
            actions: for action in mount.emergencyDetach {
                switch action {
                case .warning(let text): warn("plugin:\(entry.name): \(text)")
                case .error(let text): fail("plugin:\(entry.name): \(text)", isFatal: false)
                case .fatal(let text):
                    fail("plugin:\(entry.name): \(text)", isFatal: true)
                    break actions
                case .remove(let path), .unmount(let path):
                    do throws(EmergencyFailure) {
                        guard path.isAbsolutePath else { throw EmergencyFailure("\(JSONValue.string(path)) is not an absolute path") }
                        if case .remove = action { try actions.remove(path) } else { try actions.unmount(path) }
                    } catch {
                        fail("plugin:\(entry.name): an emergency action failed: \(error.message)", isFatal: false)
                    }
                }
            }
        }
    }

    private mutating func fail(_ text: String, isFatal: Bool) {
        outcome.failures.append(text)
        if isFatal { outcome.isFatal = true }
    }
}
