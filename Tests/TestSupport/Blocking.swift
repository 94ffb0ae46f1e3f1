// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// Runs blocking work off the pool that the tests share.
public func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await BlockingThread.run(named: "test", body)
}
