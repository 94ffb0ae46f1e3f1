// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem
public import SystemPackage

/// Why one attempt with one version at one address came to nothing.
public struct AttemptFailure: Error, Sendable {
    public enum Stage: Sendable, Equatable {
        /// The kernel refused an option before it talked to the server.
        case option(String)
        /// The answer of the server, or that there was none.
        case server
        /// The export was mounted; the subdirectory in it could not be.
        case subdirectory
        /// The export was mounted; the folder by which it is known is not in it.
        case requirement
        /// Making the mount visible, or another call on this host.
        case local
    }

    public var stage: Stage
    public var error: SystemError
    /// What the kernel itself said, without the level. fsopen(2) keeps up to eight messages.
    public var kernelLog: [String]
    /// Set when the attempt did not end by itself.
    public var end: SequenceKillReason?
    /// Set when not even a kill ended it.
    public var stuck: StuckSequence?

    public init(
        _ stage: Stage, _ error: SystemError, kernelLog: [String] = [], end: SequenceKillReason? = nil, stuck: StuckSequence? = nil
    ) {
        self.stage = stage
        self.error = error
        self.kernelLog = kernelLog
        self.end = end
        self.stuck = stuck
    }
}

/// Which version and which address to try next: the rules of mount.nfs (nfs-utils 2.9), without any system call.
public struct Negotiation {
    public struct Attempt: Sendable, Equatable {
        public var version: NFSVersion
        public var address: ServerAddress
        /// nil: it worked.
        public var errno: Errno?
    }

    public enum Result: Sendable {
        case mounted(NFSVersion, ServerAddress)
        case failed(AttemptFailure, NFSVersion, ServerAddress)
    }

    public let policy: VersionPolicy
    public let addresses: [ServerAddress]
    /// What was tried, in order.
    public private(set) var attempts: [Attempt] = []

    /// - Parameter addresses: not empty, in the order to try.
    public init(_ policy: VersionPolicy, _ addresses: [ServerAddress]) {
        self.policy = policy
        self.addresses = addresses
    }

    /// Walks the versions downwards, and all addresses for each, until a mount succeeds or no rule allows another attempt.
    ///
    /// - Parameter attempt: makes one attempt; nil means that it worked.
    public mutating func run(_ attempt: (NFSVersion, ServerAddress) -> AttemptFailure?) -> Result? {
        var first: Failed?
        var remaining = policy.candidates[...]
        while let version = remaining.popFirst() {
            guard let last = walk(version, attempt) else {
                guard let address = attempts.last?.address else { return nil }
                return .mounted(version, address)
            }
            guard isAboutVersion(last.failure) else {
                // That version 3 lacks its lock service here is not why the server denied the others.
                if let first, first.failure.error.errno == .permissionDenied, last.failure.stage == .option("lock") {
                    return .failed(first.failure, first.version, first.address)
                }
                return .failed(last.failure, version, last.address)
            }
            if version == .v3, let first, ![.resourceBusy, .permissionDenied, .timedOut].contains(last.failure.error.errno) {
                return .failed(first.failure, first.version, first.address)
            }
            if version == .v3 { return .failed(last.failure, version, last.address) }
            // What a server said about the export is worth more than that it, or this kernel, lacks a version.
            if first.map({ $0.failure.saysOnlyVersion && !last.failure.saysOnlyVersion }) ?? true { first = last }
            if remaining.isEmpty, let first { return .failed(first.failure, first.version, first.address) }
            switch last.failure.error.errno {
            case .protocolNotSupported, .invalidArgument, .permissionDenied: continue
            case .noSuchFileOrDirectory, .notPermitted, .connectionRefused:
                remaining = remaining.filter { $0 == .v3 }[...]
                if remaining.isEmpty { return .failed(last.failure, version, last.address) }
            default: return .failed(last.failure, version, last.address)
            }
        }
        return nil
    }

    private typealias Failed = (failure: AttemptFailure, version: NFSVersion, address: ServerAddress)

    /// Every address in turn, as long as the failure is one that another address may not share.
    private mutating func walk(_ version: NFSVersion, _ attempt: (NFSVersion, ServerAddress) -> AttemptFailure?) -> Failed? {
        var last: Failed?
        for address in addresses {
            let failure = attempt(version, address)
            attempts.append(Attempt(version: version, address: address, errno: failure?.error.errno))
            guard let failure else { return nil }
            last = (failure, version, address)
            guard failure.stage == .server, failure.end == nil else { return last }
            switch failure.error.errno {
            case .connectionRefused, .noRouteToHost, .timedOut, .permissionDenied: continue
            case .notSupportedOnSocket where version == .v3: continue
            default: return last
            }
        }
        return last
    }

    /// An older version could mend it: the server's answer, or a kernel that was built without this version.
    private func isAboutVersion(_ failure: AttemptFailure) -> Bool {
        failure.end == nil && (failure.stage == .server || failure.stage == .option("vers"))
    }
}

extension AttemptFailure {
    fileprivate var saysOnlyVersion: Bool { error.errno == .protocolNotSupported || error.errno == .invalidArgument }
}

extension Errno {
    /// Passes by itself, perhaps: mount.nfs tries these again as long as `retry=` allows.
    var mayPass: Bool {
        switch self {
        case .timedOut, .connectionRefused, .noRouteToHost, .resourceTemporarilyUnavailable, .networkUnreachable, .networkDown,
            .staleNFSFileHandle:
            true
        default: false
        }
    }
}
