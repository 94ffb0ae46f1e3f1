// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

runBenchmark("plugins", PluginSettings.self, afterwards: ControlGroups.remove, measureAll)

func measureAll(_ settings: PluginSettings, in folder: String) throws -> [String] {
    try Isolation.shareMounts()
    try Isolation.coverEngineFolders()
    let host = try PluginFolders(settings, in: folder)
    var missed: [String] = []
    // Before this program gets the scheduling that its children inherit: an engine needs control groups, which do not take that.
    if settings.measures.contains(.engine) { missed += try EngineLife(settings: settings, host: host).measure() }
    becomeUndisturbed()
    if settings.measures.contains(.memory) { missed += try MemoryMeasures(host: host).measure() }
    if settings.measures.contains(.access) { missed += try AccessMeasures(settings: settings, host: host).measure() }
    if settings.measures.contains(.attach) { missed += try AttachMeasures(settings: settings, host: host).measure() }
    if settings.measures.contains(.transfer) { missed += try TransferMeasures(settings: settings, host: host).measure() }
    if settings.measures.contains(.jobs) { missed += try JobMeasures(settings: settings, host: host).measure() }
    // What follows waits for the disk, that is for threads of the kernel, which do not have that scheduling.
    var parameters = sched_param(sched_priority: 0)
    sched_setscheduler(0, SCHED_OTHER, &parameters)
    if settings.measures.contains(.commit) { missed += try CommitMeasures(settings: settings, host: host).measure() }
    return missed
}
