// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage

/// Descriptors that something is waited for on, and what has come. poll(2).
///
/// The only place that calls poll(2): it goes on waiting after a signal, and after a temporary lack of kernel memory.
public struct Poll {
    public struct Events: OptionSet, Sendable {
        public let rawValue: Int16
        public init(rawValue: Int16) { self.rawValue = rawValue }

        /// There is something to read, a connection to accept, or an end.
        public static let readable = Events(rawValue: Int16(POLLIN))
        /// There is room to write, or a connection has been made.
        public static let writable = Events(rawValue: Int16(POLLOUT))
        /// An error, or the other end is closed. Reported even if it was not asked for.
        public static let failed = Events(rawValue: Int16(POLLERR | POLLHUP | POLLNVAL))
    }

    /// How long to wait before poll(2) is tried again that failed for want of memory.
    private static let pause = Duration.milliseconds(10)

    private var requests: [pollfd] = []

    public init() {}

    /// Adds a descriptor.
    ///
    /// - Parameter descriptor: nil or negative takes a place and reports nothing.
    /// - Returns: its place, for ``events(at:)``.
    @discardableResult
    public mutating func add(_ descriptor: CInt?, for events: Events = .readable) -> Int {
        requests.append(pollfd(fd: descriptor ?? -1, events: events.rawValue, revents: 0))
        return requests.count - 1
    }

    /// What has come, after the wait; none of it if nothing has.
    public func events(at place: Int) -> Events { Events(rawValue: requests[place].revents) }

    public func hasCome(at place: Int) -> Bool { requests[place].revents != 0 }

    /// Blocks until something comes or the deadline passes; with nil, without a limit.
    ///
    /// - Returns: whether something has come.
    @discardableResult
    public mutating func wait(until deadline: Deadline?) -> Bool {
        while true {
            let count = poll(&requests, nfds_t(requests.count), deadline?.pollTimeout ?? -1)
            if count > 0 { return true }
            let failure = count < 0 ? Errno.current : nil
            if let deadline, deadline.hasPassed { return false }
            if let failure, failure != .interrupted { _ = poll(nil, 0, Deadline(after: Self.pause).pollTimeout) }
        }
    }

    /// Blocks until something comes on one descriptor, or the deadline passes.
    ///
    /// - Returns: whether something has come.
    @discardableResult
    public static func wait(for descriptor: CInt, _ events: Events = .readable, until deadline: Deadline?) -> Bool {
        var poll = Poll()
        poll.add(descriptor, for: events)
        return poll.wait(until: deadline)
    }
}

extension Deadline {
    /// A deadline that has passed, to check without waiting.
    public static var now: Deadline { Deadline(after: .zero) }
}
