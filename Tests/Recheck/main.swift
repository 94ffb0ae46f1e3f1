// SPDX-License-Identifier: AGPL-3.0-or-later

// Checks a history that a test has saved: recheck FILE.

import Foundation
import HistoryChecker

guard CommandLine.arguments.count == 2, let text = try? String(contentsOfFile: CommandLine.arguments[1], encoding: .utf8) else {
    print("usage: recheck FILE, a history that a test has saved")
    exit(2)
}
do {
    let history = try History(parsing: text)
    let faults = HistoryChecker().faults(in: history)
    for fault in faults { print(fault) }
    print("\(history.operations.count) operations, \(history.disturbances.count) disturbances, \(faults.count) faults")
    exit(faults.isEmpty ? 0 : 1)
} catch {
    print("\(CommandLine.arguments[1]): \(error)")
    exit(2)
}
