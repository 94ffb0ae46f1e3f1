// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// podman's own `:O` and `:U` against the plugins that do the same job: a whole `podman run` with a tree of 10,000 files.
struct EngineLife {
    let settings: PluginSettings
    let host: PluginFolders

    private static let count = 10_000
    private static let user: uid_t = 33
    private static let image = "localhost/bench"

    func measure() throws -> [String] {
        var report = Report("podman run with 10,000 files, against podman's own", against: "podman")
        do { try prepare() } catch {
            report.skip("podman's :O and :U", because: "podman cannot run here: \(error)")
            return []
        }
        let chain = try ["ownership", "copy-on-write"].map { try ServedPlugin($0, host) }
        try writeFile("/etc/docker/mountpoint-runc.json", "{\"mount-point-plugins\": [\"ownership\", \"copy-on-write\"]}\n")
        let tree = try host.makeTree("podman")
        try Tree.write(Self.count, below: tree)
        let plain = ["--volume", tree + ":/m"]
        report.add(
            "copy-on-write, against :O", .nanoseconds,
            try pairs(plain + ["--label", "mountpoint.copy-on-write=/m"], ["--volume", tree + ":/m:O"]), limit: .ratio(1.15))
        let user = ["--user", String(Self.user)]
        let changing = user + ["--volume", tree + ":/m:U"]
        let back = { _ = try run("chown", ["-R", "\(Tree.owner):\(Tree.owner)", tree]) }
        report.add(
            "ownership by map, against :U", .nanoseconds,
            try pairs(user + plain + ["--label", "mountpoint.ownership=/m:match-user"], changing, before: back), limit: .ratio(1))
        report.add(
            "ownership by transfer and back, against :U", .nanoseconds,
            try pairs(user + plain + ["--label", "mountpoint.ownership=/m:mode=transfer"], changing, before: back))
        for plugin in chain { try plugin.stop() }
        return report.missed
    }

    private func prepare() throws {
        try run("which", ["podman"])
        let root = host.trees + "/image"
        try run("mkdir", ["-p", root + "/bin"])
        let busybox = try run("which", ["busybox"]).split(separator: "\n").first.map(String.init) ?? "busybox"
        try run("cp", ["-L", busybox, root + "/bin/busybox"])
        try run("tar", ["--create", "--directory", root, "--file", root + ".tar", "."])
        try podman(["import", root + ".tar", Self.image])
        try podman(Self.words(["--volume", root + ":/m"]))
    }

    private static func words(_ options: [String]) -> [String] {
        ["run", "--rm", "--network", "none", "--cgroup-parent", "/" + ControlGroups.name] + options + [image, "/bin/busybox", "true"]
    }

    /// - Parameter runtime: nil for runc.
    private func podman(_ words: [String], runtime: String? = nil) throws {
        let folder = host.state + "/podman"
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        let options = [
            "--root", folder + "/root", "--runroot", "/run/podman", "--tmpdir", "/run/podman-tmp", "--cgroup-manager", "cgroupfs",
            "--events-backend", "file", "--storage-driver", "overlay", "--runtime", runtime ?? "runc",
        ]
        // Its output goes to no pipe, since conmon keeps each one open that it inherits.
        let log = open(host.state + "/podman.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(log) }
        let status = try Process("podman", options + words, output: null, errors: log).wait()
        if status != 0 {
            throw BenchmarkError("podman \(words.joined(separator: " ")): \(status): \(try readFile(host.state + "/podman.log"))")
        }
    }

    private func pairs(_ ours: [String], _ theirs: [String], before: () throws -> Void = {}) throws -> Pairs {
        func time(_ options: [String], _ runtime: String?) throws -> Double {
            try before()
            let start = monotonicNanoseconds()
            try podman(Self.words(options), runtime: runtime)
            return monotonicNanoseconds() - start
        }
        _ = (try time(ours, settings.runtime), try time(theirs, nil))
        return try alternate(rounds: settings.rounds, ours: { try time(ours, settings.runtime) }, theirs: { try time(theirs, nil) })
    }
}
