// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON
import LinuxSystem
import Synchronization
import SystemPackage

/// All changes of an instance: in its own folder, and in those that its settings name.
struct ChangeSets: Sendable {
    /// The instance's own first.
    let folders: [FilePath]
    private let running: RunningContainers
    /// Held while a set is begun, or one that could not be begun is removed.
    let beginning = BeginningLock()

    init(of instance: PluginInstance, besides others: [FilePath] = []) {
        folders = [instance.state.appending("changes")] + others
        running = RunningContainers(of: instance.places)
    }

    /// Of changes that nobody has named.
    static func name(of chosen: ChosenMount) -> String {
        let index = FilePath(chosen.folder).extension ?? "0"
        let id = chosen.containerID.prefix { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(12)
        // Engines other than Docker give ids that begin alike: a checksum of the whole one (FNV-1a) tells them apart.
        let sum = chosen.containerID.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let digits = String(sum & 0xffff_ffff, radix: 16)
        return "\(id.isEmpty ? "container" : String(id))-\(String(repeating: "0", count: 8 - digits.count))\(digits).\(index)"
    }

    // MARK: Finding

    /// All that there are, by name.
    ///
    /// - Parameter report: is given the name of each that cannot be read, and why.
    func all(_ report: (String, PluginError) -> Void = { _, _ in }) -> [ChangeSet] {
        folders.flatMap { folder in
            ((try? namesInFolder(folder)) ?? []).filter(ChangeSet.isName).sorted().compactMap { name -> ChangeSet? in
                do throws(PluginError) { return try ChangeSet.read(folder.appending(name)) } catch {
                    report(name, error)
                    return nil
                }
            }
        }
    }

    /// - Parameter text: a name, its beginning if no other has it, or a container's name if it has only one.
    /// - Throws: `PluginError` that says which there are.
    func find(_ text: String) throws(PluginError) -> ChangeSet {
        var damaged: [(name: String, why: PluginError)] = []
        let all = all { damaged.append((name: $0, why: $1)) }
        if let exact = all.first(where: { $0.name.hasSameBytes(as: text) }) { return exact }
        if let unreadable = damaged.first(where: { $0.name.hasSameBytes(as: text) }) { throw unreadable.why }
        let found = all.filter { !text.isEmpty && ($0.name.hasBytePrefix(text) || $0.record.containerName.hasSameBytes(as: text)) }
        if found.count == 1 { return found[0] }
        let names = (found.isEmpty ? all : found).map(\.name).joined(separator: ", ")
        throw PluginError(
            found.isEmpty ? "there are no changes \(text); there are \(names.isEmpty ? "none" : names)" : "\(text) may be \(names)")
    }

    /// Whether a container runs on it.
    func isInUse(_ set: ChangeSet) -> Bool {
        guard set.record.state == .attached else { return false }
        // What cannot be told is taken for yes.
        return running.ids()?.contains { $0.hasSameBytes(as: set.record.container) } ?? true
    }

    /// Where changes of this name are, or are to be: on the source's own file system if one of the folders is, so that a commit need not
    /// copy.
    func folder(for name: String, on source: CopyOnWriteSource, inMemory: Bool) throws(PluginError) -> FilePath {
        for folder in folders where try ChangeSet.read(folder.appending(name)) != nil { return folder.appending(name) }
        let near = folders.first { (try? OpenFolder(at: $0).status().device) == source.status.device }
        return (inMemory ? folders[0] : near ?? folders[0]).appending(name)
    }

    /// Removes what a process was removing when it was killed.
    func removeRemains() {
        for folder in folders {
            guard let parent = try? OpenFolder(at: folder) else { continue }
            for name in (try? parent.names()) ?? [] where name.text.hasBytePrefix(ChangeSet.removedPrefix) {
                try? removeTree(name, in: parent)
            }
        }
    }

    // MARK: Beginning

    /// Makes the folders of a set, or takes up one that is there.
    func begin(
        _ folder: FilePath, _ mount: KeptMount, _ source: CopyOnWriteSource, _ options: CopyOnWriteOptions
    ) throws(SystemError) -> ChangeSet {
        try beginning.hold { () throws(SystemError) in try begun(folder, mount, source, options) }
    }

    private func begun(
        _ folder: FilePath, _ mount: KeptMount, _ source: CopyOnWriteSource, _ options: CopyOnWriteOptions
    ) throws(SystemError) -> ChangeSet {
        var record = ChangeSet.Record()
        let container = mount.record["container"]?.stringValue ?? ""
        var present: ChangeSet?
        var lock: FileLock?
        defer { lock?.leaveToChildren() }
        do throws(CommitError) {
            present = try Self.read(folder)
            if let found = present {
                lock = try Self.lock(found)
                present = try Self.read(folder)
            }
        } catch {
            throw SystemError("read", .invalidArgument, on: folder.string, hint: "\(error)")
        }
        if let present {
            record = present.record
            // Since this was planned, somebody may have begun to commit them.
            if record.state == .committing || record.state == .stopped {
                let hint = "they are being committed: mountpoint-plugin copy-on-write commit \(present.name), then try again"
                throw SystemError("mount", .resourceBusy, on: present.name, hint: hint)
            }
            // Another may have come since this was planned.
            if !record.container.hasSameBytes(as: container) && isInUse(present) {
                throw SystemError("mount", .resourceBusy, on: present.name, hint: "another container has these changes; take another name")
            }
            // The same folder by another path, as behind another plugin.
            record.source = source.place
        } else {
            record.since = timestamp()
            record.begun = .ofLastTick()
            (record.source, record.file) = (source.place, source.file)
            (record.sourceInode, record.sourceDevice) = (source.status.inode, source.status.device)
            record.memory = options.memory
        }
        record.isMapped = source.isMapped
        record.destination = mount.destination
        record.container = container
        record.containerName = mount.record["containerName"]?.stringValue ?? ""
        record.state = .attached
        let set = ChangeSet(folder: folder, record: record)
        try makeFolders(folder.removingLastComponent(), mode: 0o711)
        if present == nil {
            try makeLayer(of: set, source)
        }
        try set.write()
        return set
    }

    private func makeLayer(of set: ChangeSet, _ source: CopyOnWriteSource) throws(SystemError) {
        // What a set without its file has left.
        try set.destroy()
        try makeFolder(set.folder, mode: 0o700)
        try makeFolder(set.layer, mode: 0o700)
        if let size = set.record.memory {
            try MemoryMount.make(
                "tmpfs", at: set.layer.string, options: [("size", size), ("mode", "0700")], isNoSwap: false,
                attributes: ["nosuid", "nodev"])
        }
        try makeFolder(set.upper, mode: 0o700)
        try makeFolder(set.work, mode: 0o700)
        // The root of what the container sees is the layer's.
        let (upper, lower) = (try OpenFolder(at: set.upper), try OpenFolder(at: FilePath(source.place)))
        try EntryAttributes(of: nil, in: lower).apply(to: upper)
        try upper.setTimes(access: source.status.access, modification: source.status.modification)
    }

    /// Whether a layer can be in this folder: tried with a mount that is taken away again.
    static func probe(_ folder: FilePath) throws(SystemError) {
        let name = ".probe.\(getpid())"
        let set = ChangeSet(folder: folder.appending(name), record: ChangeSet.Record())
        try makeFolders(folder, mode: 0o711)
        try makeFolder(set.folder, mode: 0o700)
        var failure: SystemError?
        do throws(SystemError) {
            for path in [set.layer, set.upper, set.work, set.lower, set.folder.appending("merged")] { try makeFolder(path, mode: 0o700) }
            try OverlayMount.make(set, at: set.folder.appending("merged").string, [], isLasting: true)
        } catch {
            failure = error
        }
        try PlacedMount.remove(set.folder.appending("merged").string)
        try set.destroy()
        if let failure { throw failure }
    }
}

/// One thread at a time.
final class BeginningLock: Sendable {
    private let mutex = Mutex(())

    func hold<Value: Sendable, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        try mutex.withLock { (_) throws(Failure) in try body() }
    }
}
