// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount
import LinuxSystem
public import SystemPackage

/// Which version and which address to try next: the rules of mount.nfs (nfs-utils 2.9), without any system call.
///
/// The steps are all addresses of the best version, then all of the next one.
public struct NFSNegotiation: Sendable {
    public struct Step: Sendable, Equatable {
        public var version: NFSVersion
        public var address: ServerAddress
    }

    public struct Attempt: Sendable, Equatable {
        public var version: NFSVersion
        public var address: ServerAddress
        public var errno: Errno
    }

    public let steps: [Step]
    /// What failed, in order.
    public private(set) var attempts: [Attempt] = []
    /// The step whose failure says most, once the negotiation has ended.
    public private(set) var decisiveStep: Int?
    /// The failure that is reported unless version 3 has more to say.
    private var first: (failure: AttemptFailure, step: Int)?

    /// - Parameter addresses: in the order to try.
    public init(_ policy: VersionPolicy, _ addresses: [ServerAddress]) {
        steps = policy.candidates.flatMap { version in addresses.map { Step(version: version, address: $0) } }
    }

    public mutating func step(after failure: AttemptFailure, of step: Int) -> NegotiationStep {
        let current = steps[step]
        attempts.append(Attempt(version: current.version, address: current.address, errno: failure.error.errno))
        if step + 1 < steps.count, steps[step + 1].version == current.version, mayHelpElsewhere(failure, current.version) {
            return .plan(step + 1)
        }
        guard isAboutVersion(failure) else {
            // That version 3 lacks its lock service here is not why the server denied the others.
            if let first, first.failure.error.errno == .permissionDenied, failure.stage == .option("lock") { return end(first) }
            return end((failure, step))
        }
        if current.version == .v3 {
            let saysMore = [.resourceBusy, .permissionDenied, .timedOut].contains(failure.error.errno)
            return end(saysMore ? (failure, step) : first ?? (failure, step))
        }
        return olderVersion(than: current.version, failure, step)
    }

    private mutating func olderVersion(than version: NFSVersion, _ failure: AttemptFailure, _ step: Int) -> NegotiationStep {
        // What a server said about the export is worth more than that it, or this kernel, lacks a version.
        let decisive = first.flatMap { $0.failure.saysOnlyVersion && !failure.saysOnlyVersion ? nil : $0 } ?? (failure, step)
        first = decisive
        guard let next = steps[step...].firstIndex(where: { $0.version != version }) else { return end(decisive) }
        switch failure.error.errno {
        case .protocolNotSupported, .invalidArgument, .permissionDenied, .notSupportedOnSocket: return .plan(next)
        case .noSuchFileOrDirectory, .notPermitted, .connectionRefused:
            return steps[step...].firstIndex { $0.version == .v3 }.map(NegotiationStep.plan) ?? end((failure, step))
        default: return end((failure, step))
        }
    }

    private mutating func end(_ decisive: (failure: AttemptFailure, step: Int)) -> NegotiationStep {
        decisiveStep = decisive.step
        return .end(decisive.failure)
    }

    /// Whether another address may not share the failure.
    private func mayHelpElsewhere(_ failure: AttemptFailure, _ version: NFSVersion) -> Bool {
        guard failure.stage == .server, failure.end == nil else { return false }
        switch failure.error.errno {
        case .connectionRefused, .noRouteToHost, .timedOut, .permissionDenied: return true
        case .notSupportedOnSocket: return version == .v3
        default: return false
        }
    }

    /// Whether an older version could mend it: the server's answer, or a kernel that was built without this version.
    private func isAboutVersion(_ failure: AttemptFailure) -> Bool {
        failure.end == nil && (failure.stage == .server || failure.stage == .option("vers"))
    }
}

extension AttemptFailure {
    /// EOPNOTSUPP is what a server without version 4 comes to that answers PROG_UNAVAIL or PROC_UNAVAIL.
    fileprivate var saysOnlyVersion: Bool { [.protocolNotSupported, .invalidArgument, .notSupportedOnSocket].contains(error.errno) }
}
