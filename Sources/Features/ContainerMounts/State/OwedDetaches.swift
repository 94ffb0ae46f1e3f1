// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import JSON
import LinuxSystem
import MountPointChain
import OCIRuntime
import SystemPackage

/// The plugins that are owed a detach for containers of one id. Each has a file, in one of two places:
///
/// - `/run/mountpoint-runc/owed/ROOT/ID/PLUGIN.json`: plugins that could not be asked when the container ended, and plugins below one that
///   stopped the unwinding.
/// - `/var/lib/mountpoint-runc/containers/ROOT/ID/PLUGIN.json`: persistent plugins, from before their attach until after their detach.
///   They are owed a detach if the file is of an earlier boot.
///
/// Either file is renamed to `PLUGIN.asked` when the request is sent: a rename needs no room in the file system.
struct OwedDetaches: Sendable {
    let id: ContainerID
    private let passing: FilePath
    /// Nil where nothing outlives the boot.
    private let durable: FilePath?

    private static let sizeLimit = 16 << 20
    private static let pending = ".json"
    private static let asked = ".asked"

    /// - Parameter root: the runtime's folder of states, which makes ids unique; nil for its default.
    init(in places: RuntimePlaces, root: String?, id: ContainerID) {
        self.init(in: places, rootName: ContainerFolder.name(ofRoot: root), id: id)
    }

    private init(in places: RuntimePlaces, rootName: String, id: ContainerID) {
        self.id = id
        passing = Self.above(places).appending(rootName).appending(id.text)
        durable = Self.durableAbove(places)?.appending(rootName).appending(id.text)
    }

    private static func above(_ places: RuntimePlaces) -> FilePath { FilePath(places.state).appending("owed") }

    /// Where the durable ones of all containers are.
    static func durableAbove(_ places: RuntimePlaces) -> FilePath? {
        places.durableState.map { FilePath($0).appending("containers") }
    }

    /// Those of all ids and roots that have any file.
    static func all(in places: RuntimePlaces) -> [OwedDetaches] {
        var found: [OwedDetaches] = []
        for above in [above(places), durableAbove(places)].compactMap({ $0 }) {
            for root in (try? namesInFolder(above)) ?? [] {
                for name in (try? namesInFolder(above.appending(root))) ?? [] {
                    guard let id = try? ContainerID(name) else { continue }
                    let one = OwedDetaches(in: places, rootName: root, id: id)
                    if !found.contains(where: { $0.passing == one.passing }) { found.append(one) }
                }
            }
        }
        return found
    }

    // MARK: Files

    private func file(_ plugin: String, in folder: FilePath, _ ending: String = pending) -> FilePath {
        folder.appending(ContainerFolder.escape(plugin) + ending)
    }

    /// Whether any plugin may be owed a detach. Two access(2) calls, since this is asked for every container.
    var isThere: Bool { folders.contains { access($0.string, F_OK) == 0 } }

    private var folders: [FilePath] { [passing, durable].compactMap { $0 } }

    /// Those that are owed now, last attached first.
    ///
    /// - Parameter boot: the current boot; nil if it is not known, and then durable files count as files of this boot.
    /// - Throws: `RuntimeError` for a file that cannot be read.
    func list(_ boot: Boot?) throws(RuntimeError) -> [OwedDetach] {
        var found: [OwedDetach] = []
        for folder in folders where access(folder.string, F_OK) == 0 {
            for name in try wrapping(
                "find out which plugins are owed their detach", { () throws(SystemError) in try namesInFolder(folder) })
            where name.hasSuffix(Self.pending) {
                guard let owed = try read(folder.appending(name)) else { continue }
                let isOwed = folder == passing || boot.map { $0 != owed.boot } ?? false
                if isOwed && !found.contains(where: { $0.name.utf8.elementsEqual(owed.name.utf8) }) { found.append(owed) }
            }
        }
        return found.sorted { $0.place > $1.place }
    }

    /// - Returns: nil if it is not there any more.
    private func read(_ file: FilePath) throws(RuntimeError) -> OwedDetach? {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readRegularFile(file, limit: Self.sizeLimit)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw RuntimeError(.state, "cannot find out which plugins are owed their detach: \(error)", cause: error)
        }
        do throws(JSONShapeError) {
            return try OwedDetach(parsing: bytes)
        } catch {
            throw RuntimeError(.state, "the state in \(file) cannot be used: \(error)", cause: error)
        }
    }

    /// Records a plugin that could not be asked.
    func add(_ owed: OwedDetach) throws(RuntimeError) {
        try wrapping("keep which plugins are owed their detach") { () throws(SystemError) in
            try makeFolders(passing, mode: 0o700)
            try replaceFile(file(owed.name, in: passing), with: owed.encoded(), durable: false)
        }
    }

    /// Records a plugin that is to be asked even after a power cut. The file is durable when this returns.
    func persist(_ owed: OwedDetach) throws(RuntimeError) {
        guard let durable else { return }
        try wrapping("keep for after a reboot that a plugin is asked to attach") { () throws(SystemError) in
            if access(durable.string, F_OK) != 0 {
                try makeFolders(durable, mode: 0o700)
                var folder = durable
                // A folder survives a power cut only if the folder above it has been synced.
                for _ in 0..<3 {
                    folder.removeLastComponent()
                    try syncFolder(folder)
                }
            }
            try replaceFile(file(owed.name, in: durable), with: owed.encoded())
        }
    }

    /// The plugins that are durably known in a boot.
    func persisted(in boot: Boot) -> [String] {
        guard let durable, let names = try? namesInFolder(durable) else { return [] }
        return names.compactMap { name in
            guard name.hasSuffix(Self.pending), let owed = try? read(durable.appending(name)), owed.boot == boot else { return nil }
            return owed.name
        }
    }

    /// Forgets a plugin that has been asked, or that has attached again and will be asked for that.
    func remove(_ plugin: String, isDurableToo: Bool) {
        for folder in folders where folder == passing || isDurableToo {
            for ending in [Self.pending, Self.asked] { try? removeFile(file(plugin, in: folder, ending), durable: folder != passing) }
        }
        tidy()
    }

    /// Removes folders that are empty but for the lock.
    private func tidy() {
        for folder in folders where access(folder.string, F_OK) == 0 {
            if ((try? namesInFolder(folder)) ?? ["?"]) == ["lock"] { try? removeFile(folder.appending("lock"), durable: false) }
            // rmdir(2) refuses a folder that is not empty, so nothing else has to be checked.
            try? removeEmptyFolder(folder)
        }
    }

    private func wrapping<Value>(_ purpose: String, _ body: () throws(SystemError) -> Value) throws(RuntimeError) -> Value {
        do throws(SystemError) {
            return try body()
        } catch {
            throw RuntimeError(.state, "cannot \(purpose): \(error)", cause: error)
        }
    }

    // MARK: Asking

    /// Locks the folder: only one process at a time asks again.
    ///
    /// - Returns: nil if another one still does at the deadline.
    func lock(until deadline: Deadline) throws(RuntimeError) -> FileLock? {
        try wrapping("ask plugins again") { () throws(SystemError) in
            try makeFolders(passing, mode: 0o700)
            return try FileLock.wait(for: passing.appending("lock"), until: deadline)
        }
    }

    /// Removes the files of requests whose process was killed before the answer. Such a request is not sent again.
    func forgetAsked(_ log: RuntimeLog) {
        for folder in folders {
            for name in (try? namesInFolder(folder)) ?? [] where name.hasSuffix(Self.asked) {
                guard let owed = try? read(folder.appending(name)) else { continue }
                log.warning(
                    "container \(id): plugin:\(owed.name) was asked to detach by a process that ended before the answer; it is not asked again"
                )
                remove(owed.name, isDurableToo: true)
            }
        }
    }

    /// The store for asking one plugin again.
    func store(of plugin: String) -> some AppliedStackStore { OwedStackStore(owed: self, plugin: plugin) }

    /// Gives the lock back after all plugins have been asked.
    func release(_ lock: FileLock) {
        try? removeFile(passing.appending("lock"), durable: false)
        tidy()
        withExtendedLifetime(lock) {}
    }

    private struct OwedStackStore: AppliedStackStore {
        let owed: OwedDetaches
        let plugin: String

        func write(_ stack: AppliedStack) throws(StackStoreError) {
            // The file of a plugin that was not asked stays.
            if stack.isEmpty { owed.remove(plugin, isDurableToo: true) }
        }

        func prepare(_ stack: AppliedStack) throws(StackStoreError) -> PreparedRename {
            for folder in owed.folders {
                let file = owed.file(plugin, in: folder)
                if access(file.string, F_OK) == 0 {
                    return PreparedRename(draft: file.string, path: owed.file(plugin, in: folder, OwedDetaches.asked).string)
                }
            }
            throw StackStoreError("plugin \(plugin) is not owed its detach any more")
        }
    }
}
