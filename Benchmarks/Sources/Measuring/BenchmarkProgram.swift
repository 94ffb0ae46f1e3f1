// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// A program that measures: reads its command line, runs itself again apart from the host, and judges what it has measured.
package protocol BenchmarkSettings {
    init(_ arguments: [String]) throws
    /// Succeed whatever the figures are.
    var reportOnly: Bool { get }
}

/// - Parameters:
///   - name: in messages.
///   - afterwards: takes away what does not go with the inner program.
///   - measure: is given the folder to work in; returns the names of the limits that do not hold.
package func runBenchmark<Settings: BenchmarkSettings>(
    _ name: String, _ settings: Settings.Type, afterwards: () -> Void = {}, _ measure: (Settings, String) throws -> [String]
) -> Never {
    do {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let settings = try Settings(arguments)
        guard let folder = Isolation.folder else {
            let status = try Isolation.run(arguments)
            afterwards()
            exit(status)
        }
        let missed = try measure(settings, folder)
        if missed.isEmpty { exit(0) }
        print("\nmissed: \(missed.joined(separator: "; "))")
        exit(settings.reportOnly ? 0 : 1)
    } catch {
        failBenchmark(name, error)
    }
}

/// Ends the program with what it failed at.
package func failBenchmark(_ name: String, _ error: any Error) -> Never {
    fflush(nil)
    let message = "\(name): \(error)\n"
    _ = write(STDERR_FILENO, message, message.utf8.count)
    exit(2)
}

/// Lets nothing else on this machine delay what is measured, either side of it: children inherit it.
package func becomeUndisturbed() {
    var parameters = sched_param(sched_priority: 1)
    if sched_setscheduler(0, SCHED_RR, &parameters) == 0 { return }
    print("no real-time scheduling here, so expect noise: \(lastError())")
}

/// What the last call of libc says about its failure.
package func lastError() -> String { String(cString: strerror(errno)) }
