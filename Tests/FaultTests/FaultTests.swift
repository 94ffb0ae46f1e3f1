// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport
import Testing

/// The daemon as a program, among faults: killed and refused at each of its system calls, with others that are killed, under load. One
/// after another, since each of them uses the machine.
@Suite(.needs(.root), .serialized) struct FaultTests {
    /// The long form of these tests, for a night.
    static let isLong = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_LONG"] != nil

    static func number(_ variable: String, else value: Int) -> Int {
        ProcessInfo.processInfo.environment[variable].flatMap(Int.init) ?? value
    }
}
