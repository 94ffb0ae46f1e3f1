// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// Commits at the end of a container, against what people copy trees with.
///
/// A commit waits until what the container wrote is on the disk, which cp(1) and rsync(1) do not. So it is written out beforehand on both
/// sides, or the peer has to write it out, too.
struct CommitMeasures {
    let settings: PluginSettings
    let host: PluginFolders
    private let plugin: ServedPlugin

    private static let count = 10_000
    private static let bigSize = 1 << 30

    init(settings: PluginSettings, host: PluginFolders) throws {
        self.settings = settings
        self.host = host
        plugin = try ServedPlugin("copy-on-write", settings: #"{"folders": ["\#(host.trees)/.changes"]}"#, host)
    }

    func measure() throws -> [String] {
        var report = Report("copy-on-write, commit at Detach", against: "cp, rsync")
        let model = try host.makeTree("model")
        try Tree.write(Self.count, below: model, byte: 2)
        try newFiles(model, &report)
        try replacedFiles(model, &report)
        try run("rm", ["-r", model])
        try bigFile(&report)
        try plugin.stop()
        return report.missed
    }

    // MARK: Cases

    private func newFiles(_ model: String, _ report: inout Report) throws {
        let there = try host.makeTree("copied")
        func ours(_ options: String, isWritten: Bool) throws -> Double {
            try commit(options, isWritten: isWritten, expecting: Tree.paths(Self.count, below: "new").last) { place in
                try makeFolder(place + "/new")
                try Tree.write(Self.count, below: place + "/new", byte: 2)
            }
        }
        func copy(_ words: [String]) throws -> Double {
            try run("rm", ["-rf", there + "/new"])
            try readAll(below: model)
            try syncAll(host.trees)
            return try time("sh", ["-ec", words.joined(separator: " "), "sh", model, there + "/new"])
        }
        let cp = [#"cp -a "$1" "$2""#]
        report.add(
            "10,000 new files, against cp -a", .nanoseconds,
            try pairs({ try ours("commit", isWritten: true) }, { try copy(cp) }), limit: .ratio(0.2))
        report.add(
            "10,000 new files, against cp -a and sync -f", .nanoseconds,
            try pairs({ try ours("commit", isWritten: false) }, { try copy(cp + [#"; sync -f "$2""#]) }), limit: .ratio(1))
        // Its changes are in memory, so that all has to be copied.
        let rsync = [#"rsync -a "$1/" "$2""#]
        report.add(
            "10,000 new files in memory, against rsync -a", .nanoseconds,
            try pairs({ try ours("commit,memory=1g", isWritten: false) }, { try copy(rsync) }))
        report.add(
            "10,000 new files in memory, rsync -a, sync -f", .nanoseconds,
            try pairs({ try ours("commit,memory=1g", isWritten: false) }, { try copy(rsync + [#"; sync -f "$2""#]) }), limit: .ratio(1))
    }

    private func replacedFiles(_ model: String, _ report: inout Report) throws {
        func ours(isWritten: Bool) throws -> Double {
            try commit("commit", isWritten: isWritten, expecting: nil) { tree in
                try Tree.write(Self.count, below: tree)
            } change: { place in
                try Tree.write(Self.count, below: place, byte: 2, replacing: true)
            }
        }
        func rsync(_ more: String) throws -> Double {
            let there = try host.makeTree("copied")
            try Tree.write(Self.count, below: there)
            // So that their times differ.
            try run("find", [there, "-exec", "touch", "-d", "yesterday", "{}", "+"])
            try readAll(below: model)
            try syncAll(host.trees)
            return try time("sh", ["-ec", #"rsync -a --delete "$1/" "$2""# + more, "sh", model, there])
        }
        report.add(
            "10,000 replaced files, against rsync -a --delete", .nanoseconds,
            try pairs({ try ours(isWritten: true) }, { try rsync("") }), limit: .ratio(1))
        report.add(
            "10,000 replaced files, rsync -a --delete, sync -f", .nanoseconds,
            try pairs({ try ours(isWritten: false) }, { try rsync(#"; sync -f "$2""#) }), limit: .ratio(1))
    }

    private func bigFile(_ report: inout Report) throws {
        let folder = try host.makeTree("big")
        try Self.writeBigFile(folder)
        let there = try host.makeTree("copied")
        func ours(_ options: String) throws -> Double {
            try commit(options, isWritten: true, expecting: "big") { try Self.writeBigFile($0) }
        }
        func copy(_ command: String) throws -> Double {
            unlink(there + "/big")
            try readAll(below: folder)
            try syncAll(host.trees)
            return try time("sh", ["-ec", command, "sh", folder + "/big", there + "/big"])
        }
        report.add(
            "1 GiB in a new file, against cp", .nanoseconds,
            try pairs({ try ours("commit") }, { try copy(#"cp "$1" "$2""#) }), limit: .ratio(0.2))
        report.add(
            "1 GiB in memory, against rsync -a", .nanoseconds,
            try pairs({ try ours("commit,memory=2g") }, { try copy(#"rsync -a "$1" "$2""#) }))
        report.add(
            "1 GiB in memory, against rsync -a --fsync", .nanoseconds,
            try pairs({ try ours("commit,memory=2g") }, { try copy(#"rsync -a --fsync "$1" "$2""#) }), limit: .ratio(1))
    }

    // MARK: Both sides

    private func pairs(_ ours: () throws -> Double, _ theirs: () throws -> Double) throws -> Pairs {
        try alternate(rounds: settings.fewRounds, ours: ours, theirs: theirs)
    }

    /// A container's life with this plugin.
    ///
    /// - Parameters:
    ///   - isWritten: whether what it wrote is on the disk when it ends.
    ///   - name: a file that must be in the source afterwards.
    ///   - make: makes what is there before.
    ///   - change: what the container does.
    /// - Returns: nanoseconds of its Detach.
    private func commit(
        _ options: String, isWritten: Bool, expecting name: String?, making make: (String) throws -> Void = { _ in },
        change: (String) throws -> Void
    ) throws -> Double {
        let tree = try host.makeTree("source")
        try make(tree)
        try syncAll(host.trees)
        // What is made in the same tick of the clock as the layer counts as changed by others.
        usleep(20_000)
        let attached = try plugin.attach(AskedMount(source: tree, label: ("mountpoint.copy-on-write", "/data:\(options)")))
        let mount = try ContainerMount(attached, at: host.makePlace("ours"))
        try change(mount.place)
        try mount.remove()
        if isWritten { try syncAll(host.trees) }
        let time = try plugin.detach(attached)
        if let name, access("\(tree)/\(name)", F_OK) != 0 { throw BenchmarkError("\(name) was not committed") }
        return time
    }

    private static func writeBigFile(_ folder: String) throws {
        let file = open(folder + "/big", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        defer { close(file) }
        let content = [UInt8](repeating: 3, count: 1 << 20)
        for _ in 0..<(bigSize / content.count) where write(file, content, content.count) != content.count {
            throw BenchmarkError("writing a file: \(lastError())")
        }
    }
}
