// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport

/// A place where a plugin stops before it answers, until the test lets it go on.
final class Barrier: @unchecked Sendable {  // all that changes is guarded by the condition
    private let condition = NSCondition()
    private var waiting = 0
    private var isOpen = false

    /// For the plugin: waits.
    func pass() {
        condition.withLock {
            waiting += 1
            while !isOpen { condition.wait() }
            waiting -= 1
        }
    }

    /// Calls that wait here now.
    var count: Int { condition.withLock { waiting } }

    func release() {
        condition.withLock {
            isOpen = true
            condition.broadcast()
        }
    }

    /// Waits until so many calls have got here.
    func isReached(by number: Int = 1, within limit: Duration = .seconds(30)) async throws {
        try await eventually("the plugin is asked", within: limit) { count >= number }
    }
}
