// SPDX-License-Identifier: AGPL-3.0-or-later

/// What the kernel's client has counted for one superblock since it was mounted.
///
/// Mounts that share a superblock share its counters. Sums that do not fit stay at the greatest number.
public struct ActivityCounters: Sendable, Equatable {
    /// Calls of one kind that have ended, and what they took from the wish to its end.
    public struct Calls: Sendable, Equatable {
        public var count: UInt64 = 0
        /// Of all of them together.
        public var milliseconds: UInt64 = 0

        public init(count: UInt64 = 0, milliseconds: UInt64 = 0) {
            self.count = count
            self.milliseconds = milliseconds
        }

        /// Milliseconds; nil without a call.
        public var average: Double? { count == 0 ? nil : Double(milliseconds) / Double(count) }
    }

    /// Seconds since the superblock was mounted. If it goes down, this is another superblock.
    public var age: UInt64 = 0
    /// Calls of every kind that have ended.
    public var operations: UInt64 = 0
    /// Bytes that came from the server, caches and other metadata not counted.
    public var bytesRead: UInt64 = 0
    public var bytesWritten: UInt64 = 0
    public var reads = Calls()
    public var writes = Calls()
    /// Calls that were sent again.
    public var retransmissions: UInt64 = 0
    /// Times for which the client has given up waiting, and has begun again or told its caller.
    public var majorTimeouts: UInt64 = 0
    /// Calls that were answered with an error; a name that is not there is one, too.
    public var errors: UInt64 = 0

    public init() {}

    /// What was counted between an earlier sample and this one: since the mount, if the superblock is another one.
    public func since(_ earlier: ActivityCounters?) -> ActivityCounters {
        guard let earlier, earlier.age <= age else { return self }
        var delta = ActivityCounters()
        delta.age = age - earlier.age
        delta.operations = operations.less(earlier.operations)
        delta.bytesRead = bytesRead.less(earlier.bytesRead)
        delta.bytesWritten = bytesWritten.less(earlier.bytesWritten)
        delta.reads = reads.since(earlier.reads)
        delta.writes = writes.since(earlier.writes)
        delta.retransmissions = retransmissions.less(earlier.retransmissions)
        delta.majorTimeouts = majorTimeouts.less(earlier.majorTimeouts)
        delta.errors = errors.less(earlier.errors)
        return delta
    }
}

extension ActivityCounters.Calls {
    fileprivate func since(_ earlier: Self) -> Self {
        Self(count: count.less(earlier.count), milliseconds: milliseconds.less(earlier.milliseconds))
    }
}

extension UInt64 {
    /// The difference, zero if the other one is greater.
    fileprivate func less(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }

    /// The sum, or the greatest number if it does not fit.
    public func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
