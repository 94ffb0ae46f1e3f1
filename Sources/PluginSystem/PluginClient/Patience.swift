// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// How long to wait for a plugin that is not running: it may be restarting.
///
/// Tried again after 1, 2, 4 and 8 seconds, as Docker's plugin client does, then every 8 seconds. The last tries before the end come
/// closer together.
public struct Patience: Sendable {
    /// From the first try to the last; zero tries once.
    public var limit: Duration

    public init(_ limit: Duration) { self.limit = limit }

    /// Tries once. For commands that only report whether a plugin answers.
    public static var none: Patience { Patience(.zero) }
    /// The time that Docker has for every call.
    public static var docker: Patience { Patience(.seconds(15)) }

    private static let longestPause = Duration.seconds(8)
    /// A shorter rest of the time is not worth another try.
    private static let shortestPause = Duration.milliseconds(20)

    /// Repeats a call until a plugin takes it.
    ///
    /// - Throws: what the last try threw. A failure other than of an absence is thrown at once.
    public func call<Value>(_ attempt: () throws(PluginClientError) -> Value) throws(PluginClientError) -> Value {
        let deadline = Deadline(after: limit)
        var pause = Duration.seconds(1)
        while true {
            do throws(PluginClientError) {
                return try attempt()
            } catch {
                let wait = Self.wait(pause, remaining: deadline.remaining)
                guard error.isAbsence, let wait else { throw error }
                var nothing = Poll()
                nothing.wait(until: Deadline(after: wait))
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }

    /// - Returns: nil if there is to be no other try.
    static func wait(_ pause: Duration, remaining: Duration) -> Duration? {
        // A little more than the remaining time is allowed, so that slow tries do not cost the last of Docker's 15 seconds.
        if pause <= remaining { return pause }
        if pause <= remaining + .milliseconds(500) && remaining > shortestPause { return remaining }
        return remaining / 2 > shortestPause ? remaining / 2 : nil
    }
}
