// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// What single accesses through a plugin's mount take, against a plain bind mount of the same tree.
struct AccessMeasures {
    let settings: PluginSettings
    let host: PluginFolders

    /// Two file systems in memory have different memory, some of which is nearer.
    private static let limits = (map: 1.35, overlay: 2.0, none: 1.1, memory: 1.25)

    func measure() throws -> [String] {
        var report = Report("single accesses, against a plain bind mount of the same tree", against: "bind")
        let tree = try makeTree("access")
        try ownership(tree, &report)
        try copyOnWrite(tree, &report)
        let translate = try ServedPlugin("translate", settings: #"{"paths": [{"prefix": "/no-such", "to": "\#(host.trees)"}]}"#, host)
        try pair(translate, AskedMount(source: "/no-such/access"), tree, AccessLoop.all, Self.limits.none, &report)
        let policy = try ServedPlugin("policy", settings: #"{"rules": [{"action": "read-only", "source": ["\#(tree)"]}]}"#, host)
        try pair(policy, AskedMount(source: tree), tree, AccessLoop.reading, Self.limits.none, &report)
        try memory(&report)
        return report.missed
    }

    private func makeTree(_ name: String) throws -> String {
        let tree = try host.makeTree(name)
        try fill(tree)
        return tree
    }

    private func fill(_ folder: String) throws {
        try Tree.write(AccessLoop.fileCount * 2, below: folder)
        let file = open(AccessLoop.bigFile(in: folder), O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        defer { close(file) }
        let content = [UInt8](repeating: 1, count: AccessLoop.bigSize)
        fchown(file, Tree.owner, Tree.owner)
        if write(file, content, content.count) != content.count { throw BenchmarkError("writing a file: \(lastError())") }
    }

    /// Measures through both, in turn for each kind of access.
    ///
    /// - Parameter changed: for those of the files that have been changed.
    private func compare(
        _ ours: ContainerMount, _ theirs: ContainerMount, _ loops: [AccessLoop], changed: Bool = false
    ) throws -> [(loop: AccessLoop, pairs: Pairs)] {
        let (one, other) = (try AccessTarget(ours.place, changed: changed), try AccessTarget(theirs.place, changed: changed))
        // The first time reads names and pages into memory.
        for loop in loops { _ = (try loop.time(one), try loop.time(other)) }
        return try loops.map { loop in
            (loop, try alternate(rounds: settings.rounds, ours: { try loop.time(one) }, theirs: { try loop.time(other) }))
        }
    }

    /// A kind that has the same limit for all accesses.
    private func pair(
        _ plugin: ServedPlugin, _ mount: AskedMount, _ tree: String, _ loops: [AccessLoop], _ limit: Double, _ report: inout Report
    ) throws {
        let attached = try plugin.attach(mount)
        let ours = try ContainerMount(attached, at: host.makePlace("ours"))
        let plain = try ContainerMount(tree, at: host.makePlace("plain"))
        for (loop, pairs) in try compare(ours, plain, loops) {
            report.add("\(plugin.kind): \(loop.rawValue)", .nanoseconds, pairs, limit: .ratio(limit))
        }
        try plain.remove()
        try ours.remove()
        try plugin.detach(attached)
        try plugin.stop()
    }

    private func ownership(_ tree: String, _ report: inout Report) throws {
        let plugin = try ServedPlugin("ownership", host)
        let mount = AskedMount(source: tree, label: ("mountpoint.ownership", "/data:match-user"))
        let attached = try plugin.attach(mount)
        let ours = try ContainerMount(attached, at: host.makePlace("ours"))
        let plain = try ContainerMount(tree, at: host.makePlace("plain"))
        var status = Glibc.stat()
        guard stat(AccessLoop.bigFile(in: ours.place), &status) == 0, status.st_uid == 0 else {
            throw BenchmarkError("\(tree) is not shown as root's")
        }
        for (loop, pairs) in try compare(ours, plain, AccessLoop.all) {
            report.add("ownership: \(loop.rawValue)", .nanoseconds, pairs, limit: .ratio(Self.limits.map))
        }
        try plain.remove()
        try bindfs(ours, tree, &report)
        try ours.remove()
        try plugin.detach(attached)
        try plugin.stop()
    }

    /// The same by a file system in a process.
    private func bindfs(_ ours: ContainerMount, _ tree: String, _ report: inout Report) throws {
        let name = "ownership against bindfs"
        let place = try host.makePlace("bindfs")
        let options = ["--map=\(Tree.owner)/0:@\(Tree.owner)/@0", "-o", "dev,suid,allow_other"]
        do {
            try run("which", ["bindfs"])
            try run("bindfs", options + [tree, place])
        } catch { return report.skip(name, because: "there is no bindfs here, or no FUSE") }
        let theirs = try ContainerMount(place, at: host.makePlace("plain"))
        for (loop, pairs) in try compare(ours, theirs, AccessLoop.all) {
            // What stat tells the kernel keeps for a second.
            report.add("\(name): \(loop.rawValue)", .nanoseconds, pairs, limit: loop == .stat ? .none : .ratio(1))
        }
        try theirs.remove()
        try run("umount", [place])
    }

    private func copyOnWrite(_ tree: String, _ report: inout Report) throws {
        let plugin = try ServedPlugin("copy-on-write", host)
        let attached = try plugin.attach(AskedMount(source: tree, label: ("mountpoint.copy-on-write", "/data")))
        let ours = try ContainerMount(attached, at: host.makePlace("ours"))
        let plain = try ContainerMount(tree, at: host.makePlace("plain"))
        for (loop, pairs) in try compare(ours, plain, AccessLoop.reading) {
            report.add("copy-on-write: \(loop.rawValue)", .nanoseconds, pairs, limit: .ratio(Self.limits.overlay))
        }
        let target = try AccessTarget(ours.place, changed: true)
        let copying = try AccessLoop.write.time(target)
        let again = try AccessTarget(plain.place, changed: true)
        report.add("copy-on-write: first write of a file", .nanoseconds, ours: copying, peer: try AccessLoop.write.time(again))
        for (loop, pairs) in try compare(ours, plain, AccessLoop.all, changed: true) {
            report.add("copy-on-write, changed: \(loop.rawValue)", .nanoseconds, pairs, limit: .ratio(Self.limits.overlay))
        }
        try plain.remove()
        try ours.remove()
        try plugin.detach(attached)
        try plugin.stop()
    }

    private func memory(_ report: inout Report) throws {
        let plugin = try ServedPlugin("noswap", host)
        let label = "/data:size=256m,mode=0755"
        let mount = AskedMount(type: "tmpfs", source: "tmpfs", label: ("mountpoint.noswap", label))
        let attached: AttachedMount
        do { attached = try plugin.attach(mount) } catch {
            report.skip("noswap", because: "this kernel cannot do it")
            return try plugin.stop()
        }
        let ours = try ContainerMount(attached, at: host.makePlace("ours"))
        let place = try host.makePlace("tmpfs")
        try run("mount", ["-t", "tmpfs", "-o", "size=256m,mode=0755,nosuid,nodev,noexec", "none", place])
        let plain = try ContainerMount(place, at: host.makePlace("plain"))
        for mount in [ours, plain] { try fill(mount.place) }
        for (loop, pairs) in try compare(ours, plain, AccessLoop.all) {
            report.add("noswap against tmpfs: \(loop.rawValue)", .nanoseconds, pairs, limit: .ratio(Self.limits.memory))
        }
        try plain.remove()
        try ours.remove()
        try run("umount", [place])
        try plugin.detach(attached)
        try plugin.stop()
    }
}
