// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation

/// How much longer than usual tests may take before they fail: `DOCKER_NFSD_TEST_TIME_FACTOR`, 1 unless set. For slow or busy machines.
public let testTimeFactor: Double = {
    let text = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_TIME_FACTOR"] ?? ""
    return max(Double(text) ?? 1, 1)
}()

extension Duration {
    /// This limit on the machine at hand. Only for what must not take longer, never for what must take at least so long.
    public var onThisMachine: Duration { self * testTimeFactor }
}
