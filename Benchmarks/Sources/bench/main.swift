// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

do {
    let settings = try Settings(Array(CommandLine.arguments.dropFirst()))
    guard let folder = Isolation.folder else { exit(try Isolation.run(Array(CommandLine.arguments.dropFirst()))) }
    let missed = try measureAll(settings, in: folder)
    if missed.isEmpty { exit(0) }
    print("\nmissed: \(missed.joined(separator: "; "))")
    exit(settings.reportOnly ? 0 : 1)
} catch {
    fflush(nil)
    let message = "bench: \(error)\n"
    _ = write(STDERR_FILENO, message, message.utf8.count)
    exit(2)
}

/// Lets nothing else on this machine delay what is measured, either side of it: children inherit it. Not in the machine, where
/// threads of the kernel do half of the work.
func becomeUndisturbed() {
    var parameters = sched_param(sched_priority: 1)
    if sched_setscheduler(0, SCHED_RR, &parameters) == 0 { return }
    print("no real-time scheduling here, so expect noise: \(String(cString: strerror(errno)))")
}

func measureAll(_ settings: Settings, in folder: String) throws -> [String] {
    if settings.export == nil { becomeUndisturbed() }
    // As systemd leaves it on every host; here only among the mounts of this program.
    try run("mount", ["--make-rshared", "/"])
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
