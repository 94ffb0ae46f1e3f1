// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import Synchronization
public import SystemPackage

/// A request to stop that blocking code can poll for: an eventfd(2) that becomes readable once.
public final class Cancellation: Sendable {
    /// Readable from the moment of ``cancel()``; owned by this object.
    public let descriptor: FileDescriptor
    private let cancelled = Atomic(false)

    /// - Throws: `SystemError` of eventfd(2), such as `EMFILE`.
    public init() throws(SystemError) {
        let raw = try systemCall("eventfd", on: "for a cancellation") { CLinux_eventfd() }
        descriptor = FileDescriptor(rawValue: raw)
    }

    deinit { Glibc.close(descriptor.rawValue) }

    public var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    /// May be called from any thread, any number of times.
    public func cancel() {
        if cancelled.exchange(true, ordering: .acquiringAndReleasing) { return }
        var one: UInt64 = 1
        _ = Glibc.write(descriptor.rawValue, &one, 8)
    }
}

/// A point in time by which something must have ended, on the monotonic clock.
public struct Deadline: Sendable {
    public let instant: ContinuousClock.Instant

    public init(after duration: Duration) { instant = .now + duration }
    public init(_ instant: ContinuousClock.Instant) { self.instant = instant }

    public var remaining: Duration { max(.zero, instant - .now) }
    public var hasPassed: Bool { instant <= .now }

    /// The earlier of two.
    public func earlier(_ other: Deadline) -> Deadline { instant <= other.instant ? self : other }

    /// For poll(2): milliseconds, rounded up so that a wait never ends before the deadline.
    public var pollTimeout: CInt {
        let (seconds, attoseconds) = remaining.components
        let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return CInt(clamping: milliseconds)
    }
}
