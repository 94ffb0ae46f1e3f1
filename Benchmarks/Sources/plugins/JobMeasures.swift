// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// Whole jobs through a plugin's mount, against a plain bind mount of a tree that is alike.
struct JobMeasures {
    let settings: PluginSettings
    let host: PluginFolders

    private static let (count, sources) = (10_000, 8)
    /// A command that is run in the tree.
    private struct Job {
        var name: String
        var command: String
        /// By kind.
        var limits: [String: Double]
    }

    /// These two are next to nothing but single calls, so on a layer they may cost what those may.
    private static let callLimits = ["ownership": 1.05, "copy-on-write": 2]
    private static let jobs = [
        Job(name: "git status", command: "git status --porcelain >/dev/null", limits: callLimits),
        // tar(1) reads no file if it sees that the archive is /dev/null.
        Job(name: "tar", command: "tar --create . | cat >/dev/null", limits: callLimits),
        Job(
            name: "build", command: "make --silent --directory source clean all", limits: ["ownership": 1.05, "copy-on-write": 1.1]),
    ]

    func measure() throws -> [String] {
        setenv("GIT_CONFIG_GLOBAL", host.trees + "/gitconfig", 1)
        // The tree is another's where it is not mapped.
        try writeFile(host.trees + "/gitconfig", "[safe]\ndirectory = *\n[user]\nname = bench\nemail = bench@localhost\n")
        var report = Report("whole jobs, 10,000 files, against a plain bind mount", against: "bind")
        let (one, other) = (try makeProject("one"), try host.makeTree("other"))
        try run("cp", ["-a", one + "/.", other])
        try syncAll(host.trees)
        let plain = try ContainerMount(other, at: host.makePlace("plain"))
        for (kind, label) in [("ownership", "/data:match-user"), ("copy-on-write", "/data")] {
            let plugin = try ServedPlugin(kind, host)
            let attached = try plugin.attach(AskedMount(source: one, label: ("mountpoint.\(kind)", label)))
            let ours = try ContainerMount(attached, at: host.makePlace("ours"))
            for job in Self.jobs {
                func time(_ mount: ContainerMount) throws -> Double {
                    try plugins.time("sh", ["-ec", "cd \"$1\"; \(job.command)", "sh", mount.place])
                }
                // The first time writes git's index anew, for owners or inodes are others than it knows.
                for _ in 0..<2 { _ = (try time(ours), try time(plain)) }
                let pairs = try alternate(rounds: settings.rounds, ours: { try time(ours) }, theirs: { try time(plain) })
                report.add("\(kind): \(job.name)", .nanoseconds, pairs, limit: job.limits[kind].map(Limit.ratio) ?? .none)
            }
            try ours.remove()
            try plugin.detach(attached)
            try plugin.stop()
        }
        try plain.remove()
        return report.missed
    }

    private func makeProject(_ name: String) throws -> String {
        let tree = try host.makeTree(name)
        try Tree.write(Self.count, below: tree)
        let source = tree + "/source"
        try makeFolder(source)
        let names = (0..<Self.sources).map { "part\($0)" }
        for (number, name) in names.enumerated() {
            let functions = (0..<30).map {
                "int \(name)_\($0)(int x) { for (int i = 0; i < x; i++) x += i ^ \(number); return printf(\"%d\", x); }"
            }
            try writeFile("\(source)/\(name).c", "#include <stdio.h>\n#include <stdlib.h>\n" + functions.joined(separator: "\n") + "\n")
        }
        let objects = names.map { $0 + ".o" }.joined(separator: " ")
        try writeFile(
            source + "/Makefile",
            "CFLAGS = -O2\nall: program.so\nprogram.so: \(objects)\n\t$(CC) -shared -o $@ $^\nCFLAGS += -fPIC\nclean:\n\trm -f *.o *.so\n")
        try writeFile(tree + "/.gitignore", "*.o\n*.so\n")
        try run("git", ["-C", tree, "init", "--quiet"], errors: nil)
        try run("git", ["-C", tree, "add", "."])
        try run("git", ["-C", tree, "commit", "--quiet", "--message", "all"])
        try run("chown", ["-R", "\(Tree.owner):\(Tree.owner)", tree])
        return tree
    }
}
