// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import SystemPackage

/// A negotiation with the servers that answered: its steps as plans, and the words for their failures.
struct NFSMountNegotiation: MountNegotiation {
    let export: NFSExport
    let options: NFSOptions
    let servers: [ReachableServer]
    let plans: [MountPlan]
    private var rules: NFSNegotiation

    /// - Parameter mountAddress: where version 3 finds the MOUNT protocol, if it is not at the server's own address.
    init(_ export: NFSExport, _ options: NFSOptions, _ servers: [ReachableServer], mountAddress: ServerAddress?) {
        self.export = export
        self.options = options
        self.servers = servers
        rules = NFSNegotiation(export.effectiveVersions, servers.map(\.address))
        plans = rules.steps.map {
            MountPlan(
                server: export.server, path: export.path, address: $0.address, version: $0.version, options: options,
                mountAddress: mountAddress)
        }
    }

    func obstacle(to plan: Int) -> AttemptFailure? {
        guard rules.steps[plan].version == .v3, !options.locksAreLocal, !export.acceptsMissingLocks,
            !ServerProbe.statusMonitorRuns(by: Deadline(after: .seconds(2)))
        else { return nil }
        return AttemptFailure(.option("lock"), SystemError("rpc.statd", .noLocks, on: "locks"))
    }

    mutating func step(after failure: AttemptFailure, of plan: Int) -> NegotiationStep { rules.step(after: failure, of: plan) }

    var server: String { failure(waited: .zero)?.server ?? export.server.text }

    func explanation(of failure: AttemptFailure, waited: Duration) -> FailureExplanation {
        self.failure(waited: waited)?.explanation(of: failure) ?? FailureExplanation(.other, "\(failure.error)")
    }

    private func failure(waited: Duration) -> NFSFailure? {
        guard let step = rules.decisiveStep.map({ rules.steps[$0] }) else { return nil }
        return NFSFailure(
            export: export, options: options, address: step.address, version: step.version,
            localAddress: servers.first { $0.address == step.address }?.localAddress ?? "", attempts: rules.attempts, waited: waited)
    }
}
