// SPDX-License-Identifier: AGPL-3.0-or-later

import Synchronization
import Testing

/// What a test must take away again, done in reverse order; a part that fails is reported and does not keep the others.
public final class Cleanup: Sendable {
    private let steps = Mutex<[@Sendable () async throws -> Void]>([])

    public init() {}

    public func add(_ step: @escaping @Sendable () async throws -> Void) { steps.withLock { $0.append(step) } }

    public func run() async {
        while let step = steps.withLock({ $0.popLast() }) {
            do { try await step() } catch { Issue.record(error, "while cleaning up") }
        }
    }
}
