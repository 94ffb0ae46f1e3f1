// SPDX-License-Identifier: AGPL-3.0-or-later

/// How it went to have the plugins of a container detach.
public struct UnwindingOutcome: Sendable, Equatable {
    /// Problems that do not make the container fail. Each has been logged already.
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
