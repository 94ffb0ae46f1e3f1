// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

runBenchmark("bench", Settings.self, measureAll)

func measureAll(_ settings: Settings, in folder: String) throws -> [String] {
    // Not in the machine, where threads of the kernel do half of the work.
    if settings.export == nil { becomeUndisturbed() }
    try Isolation.shareMounts()
    var missed: [String] = []
    let calls = CallMeasures(settings: settings, folder: folder)
    if !settings.measures.isDisjoint(with: [.start, .get, .list, .memory, .binary]) {
        var report = Report("docker-nfsd against a C peer (libmicrohttpd, jansson)", against: "peer")
        if settings.measures.contains(.start) { try calls.start(&report) }
        if !settings.measures.isDisjoint(with: [.get, .list]) { try calls.getAndList(&report) }
        if settings.measures.contains(.memory) { try calls.memory(&report) }
        if settings.measures.contains(.binary) { try BinaryMeasure(settings: settings, folder: folder).measure(&report) }
        missed += report.missed
    }
    if settings.measures.contains(.scale) { missed += try ScaleMeasures(settings: settings, folder: folder).measure() }
    if settings.measures.contains(.mounts) { missed += try MountMeasures(settings: settings, folder: folder + "/mounts").measure() }
    return missed
}
