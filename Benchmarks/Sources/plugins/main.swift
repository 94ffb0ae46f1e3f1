// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

do {
    let arguments = Array(CommandLine.arguments.dropFirst())
    let settings = try PluginSettings(arguments)
    guard let folder = Isolation.folder else {
        let status = try Isolation.run(arguments)
        EngineLife.removeControlGroups()
        exit(status)
    }
    let missed = try measureAll(settings, in: folder)
    if missed.isEmpty { exit(0) }
    print("\nmissed: \(missed.joined(separator: "; "))")
    exit(settings.reportOnly ? 0 : 1)
} catch {
    fflush(nil)
    let message = "plugins: \(error)\n"
    _ = write(STDERR_FILENO, message, message.utf8.count)
    exit(2)
}

func measureAll(_ settings: PluginSettings, in folder: String) throws -> [String] {
    // As systemd leaves it on every host; here only among the mounts of this program.
    try run("mount", ["--make-rshared", "/"])
    for path in ["/run", "/etc/docker"] {
        try run("mkdir", ["-p", path])
        try run("mount", ["-t", "tmpfs", "-o", "mode=755", "none", path])
    }
    let host = try PluginFolders(settings, in: folder)
    var missed: [String] = []
    // Before this program gets the scheduling that its children inherit: an engine needs control groups, which do not take that.
    if settings.measures.contains(.engine) { missed += try EngineLife(settings: settings, host: host).measure() }
    var parameters = sched_param(sched_priority: 1)
    if sched_setscheduler(0, SCHED_RR, &parameters) != 0 { print("no real-time scheduling here, so expect noise") }
    if settings.measures.contains(.access) { missed += try AccessMeasures(settings: settings, host: host).measure() }
    if settings.measures.contains(.attach) { missed += try AttachMeasures(settings: settings, host: host).measure() }
    if settings.measures.contains(.transfer) { missed += try TransferMeasures(settings: settings, host: host).measure() }
    if settings.measures.contains(.jobs) { missed += try JobMeasures(settings: settings, host: host).measure() }
    // What follows waits for the disk, that is for threads of the kernel, which do not have that scheduling.
    parameters.sched_priority = 0
    sched_setscheduler(0, SCHED_OTHER, &parameters)
    if settings.measures.contains(.commit) { missed += try CommitMeasures(settings: settings, host: host).measure() }
    return missed
}
