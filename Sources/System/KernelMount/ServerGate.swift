// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem

/// Stands before each attempt at a server: lets it through or refuses it, and sees what comes of it.
public protocol ServerGate: Sendable {
    /// Runs `body`, which is one attempt, or refuses it. Blocks: for threads of their own only.
    ///
    /// - Parameter body: makes the attempt until a deadline, which is the attempt's own or an earlier one.
    /// - Throws: `StorageError`: what the attempt throws, or why it was not made.
    func pass<Value>(_ attempt: ServerAttempt, _ body: (Deadline) throws(StorageError) -> Value) throws(StorageError) -> Value
}

/// An attempt at a server that is about to be made.
public struct ServerAttempt: Sendable {
    public var source: any FileSystemSource
    /// For all that it takes, waiting included.
    public var deadline: Deadline
    public var cancellation: Cancellation?
    /// Whether the caller has time to wait for a server that comes back, and tries again by itself.
    public var mayWait: Bool
    /// Whether the deadline leaves a server that answers slowly enough time, so that no answer says something about it.
    public var hasTime: Bool

    public init(source: any FileSystemSource, deadline: Deadline, cancellation: Cancellation?, mayWait: Bool, hasTime: Bool) {
        self.source = source
        self.deadline = deadline
        self.cancellation = cancellation
        self.mayWait = mayWait
        self.hasTime = hasTime
    }

    /// A server that is given less than this has shown nothing by not answering.
    private static let fairTime = Duration.seconds(5)

    init(
        at source: any FileSystemSource, _ deadline: Deadline, _ cancellation: Cancellation?, mayWait: Bool, _ limits: MountLimits
    ) {
        self.init(
            source: source, deadline: deadline, cancellation: cancellation, mayWait: mayWait,
            hasTime: deadline.remaining >= min(Self.fairTime, limits.mount / 2))
    }

    /// Makes the attempt if the gate lets it through.
    func pass<Value>(_ gate: (any ServerGate)?, _ body: (Deadline) throws(StorageError) -> Value) throws(StorageError) -> Value {
        // No server was contacted, so the error names none.
        if deadline.hasPassed {
            throw StorageError.mounting(
                source.text, .timedOut,
                "no time was left for it, for what was done before took too long; try again, and look at docker-nfsd status")
        }
        guard let gate else { return try body(deadline) }
        return try gate.pass(self, body)
    }
}
