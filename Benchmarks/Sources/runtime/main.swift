// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

do {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.first == MeasuredPlugin.word { try MeasuredPlugin.serve(Array(arguments.dropFirst())) }
    let settings = try RuntimeSettings(arguments)
    guard let folder = Isolation.folder else {
        let status = try Isolation.run(arguments)
        EngineFolders.removeControlGroups()
        exit(status)
    }
    let missed = try RuntimeMeasures(settings: settings, folder: folder).measure()
    if missed.isEmpty { exit(0) }
    print("\nmissed: \(missed.joined(separator: "; "))")
    exit(settings.reportOnly ? 0 : 1)
} catch {
    fflush(nil)
    let message = "runtime: \(error)\n"
    _ = write(STDERR_FILENO, message, message.utf8.count)
    exit(2)
}
