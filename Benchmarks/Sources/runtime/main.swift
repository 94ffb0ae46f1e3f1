// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

let words = CommandLine.arguments.dropFirst()
if words.first == MeasuredPlugin.word {
    do { try MeasuredPlugin.serve(Array(words.dropFirst())) } catch { failBenchmark("runtime", error) }
}
runBenchmark("runtime", RuntimeSettings.self, afterwards: ControlGroups.remove) { settings, folder in
    try RuntimeMeasures(settings: settings, folder: folder).measure()
}
