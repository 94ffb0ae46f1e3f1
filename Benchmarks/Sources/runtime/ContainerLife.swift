// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// One way of running a container: the runtime alone, or ours with a chain.
struct Way {
    let program: String
    let chain: [String]
    let plugin: MeasuredPlugin?
}

/// What the commands of one container's life took, in nanoseconds, and what its supervisor held.
struct LifeFigures {
    var version = Double.nan
    var create = Double.nan
    /// Of `create`, what the plugin took for itself.
    var plugin = 0.0
    var state = Double.nan
    var start = Double.nan
    var kill = Double.nan
    var delete = Double.nan
    /// All that it takes from nothing to nothing.
    var life: Double { create + start + kill + delete }
    /// Bytes; of a process that stays beside the container's.
    var resident: Double?
    var proportional: Double?
}

/// A container's life, with the commands that containerd's shim gives.
struct ContainerLife {
    let way: Way
    let id: String
    let bundle: String
    private let null: CInt

    init(_ way: Way, id: String, folders: EngineFolders, below: String, null: CInt) throws {
        self.way = way
        self.id = id
        self.null = null
        bundle = try folders.makeBundle(id)
        try folders.setChain(way.chain, below: below)
    }

    func run() throws -> LifeFigures {
        var figures = LifeFigures()
        figures.version = try time(["--version"], isGlobal: false)
        let before = way.plugin?.ownTime ?? 0
        figures.create = try time(["create", "--bundle", bundle, "--pid-file", bundle + "/init.pid", id])
        figures.plugin = (way.plugin?.ownTime ?? 0) - before
        guard let process = pid_t(try readFile(bundle + "/init.pid")) else { throw BenchmarkError("no process id in \(bundle)/init.pid") }
        figures.state = try median((0..<5).map { _ in try time(["state", id]) })
        figures.start = try time(["start", id])
        if try isSupervisor(process) {
            figures.resident = try memory("Rss", of: process)
            figures.proportional = try memory("Pss", of: process)
        }
        figures.kill = try time(["kill", id, "9"])
        // As the shim does: the end of the process that it has been told of, which has become this one's child.
        var status: CInt = 0
        guard waitpid(process, &status, 0) == process else { throw BenchmarkError("waitpid: \(lastError())") }
        figures.delete = try time(["delete", id])
        try Measuring.run("rm", ["-r", bundle])
        return figures
    }

    /// Whether what the engine takes for the container's process is one of ours.
    private func isSupervisor(_ process: pid_t) throws -> Bool {
        var found = stat()
        var ours = stat()
        guard stat("/proc/\(process)/exe", &found) == 0, stat(way.program, &ours) == 0 else { return false }
        return found.st_dev == ours.st_dev && found.st_ino == ours.st_ino
    }

    private func time(_ words: [String], isGlobal: Bool = true) throws -> Double {
        let global = isGlobal ? ["--root", EngineFolders.runtimeRoot, "--log", bundle + "/log.json", "--log-format", "json"] : []
        let start = monotonicNanoseconds()
        let process = try Process(way.program, global + words, output: null)
        let status = process.wait()
        let end = monotonicNanoseconds()
        if status != 0 {
            let log = (try? readFile(bundle + "/log.json")) ?? ""
            throw BenchmarkError("\(way.program) \(words.joined(separator: " ")) failed with status \(status): \(log)")
        }
        return end - start
    }
}
