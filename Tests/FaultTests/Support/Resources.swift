// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import TestSupport

/// What a daemon has and what it has left on its host.
struct Resources: Sendable {
    var descriptors: Int
    var threads: Int
    var processes: [String]
    var mounts: [String]
    var files: [String]
    /// kB.
    var resident: Int

    init(of daemon: DaemonHost) throws {
        guard let process = daemon.process else { throw Trouble("the daemon does not run") }
        descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
        threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task").count
        processes = daemon.host.processes().filter { !$0.commandLine.isEmpty }.map(\.name).sorted()
        mounts = try daemon.host.mountPoints(below: daemon.folder).sorted()
        // What is known of servers is written now and then, and stays.
        files = daemon.host.paths(below: daemon.folder).filter { !$0.hasSuffix("run/health.json") }.sorted()
        files += daemon.host.paths(below: DaemonHost.export).sorted()
        let status = try readProcess("/proc/\(process)/status")
        resident = status.firstMatch(of: /VmRSS:\s+(\d+) kB/).flatMap { Int($0.1) } ?? 0
    }

    /// What there is now and was not before. Memory is told apart: an allocator keeps some.
    func remains(since before: Resources) -> [String] {
        var remains: [String] = []
        if descriptors > before.descriptors { remains.append("\(descriptors - before.descriptors) descriptors") }
        if threads > before.threads { remains.append("\(threads - before.threads) threads") }
        for (kind, list) in [("process", \Resources.processes), ("mount", \.mounts), ("file", \.files)] {
            remains += self[keyPath: list].difference(from: before[keyPath: list]).insertions.map { change in
                guard case .insert(_, let element, _) = change else { return kind }
                return "\(kind) \(element)"
            }
        }
        return remains
    }
}
