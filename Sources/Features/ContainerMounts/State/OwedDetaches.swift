// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import JSON
import LinuxSystem
import MountPointChain
import OCIRuntime
import SystemPackage

/// Which plugins are owed their detach for the containers that have had one id, a file each, in two places:
///
/// - `/run/mountpoint-runc/owed/ROOT/ID/PLUGIN.json`: those that could not be asked when the container ended, and those below one that
///   has stopped the unwinding.
/// - `/var/lib/mountpoint-runc/containers/ROOT/ID/PLUGIN.json`: those that want their detach after a reboot, too, from before their attach
///   until after their detach. Owed are those of an earlier boot.
///
/// `PLUGIN.asked` is in the place of either once the request has gone out: a rename needs no room in the file system.
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

    /// Whether there may be any; for all others this is the only look.
    var isThere: Bool { folders.contains { access($0.string, F_OK) == 0 } }

    private var folders: [FilePath] { [passing, durable].compactMap { $0 } }

    /// Those that are owed now, last attached first.
    ///
    /// - Parameter boot: nil if it is not known: then what is durable counts as of this boot.
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
            bytes = try readWholeFile(file, limit: Self.sizeLimit)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw RuntimeError("cannot find out which plugins are owed their detach: \(error)")
        }
        do throws(JSONShapeError) {
            return try OwedDetach(parsing: bytes)
        } catch {
            throw RuntimeError("the state in \(file) cannot be used: \(error)")
        }
    }

    /// Notes one that could not be asked.
    func add(_ owed: OwedDetach) throws(RuntimeError) {
        try wrapping("keep which plugins are owed their detach") { () throws(SystemError) in
            try makeFolders(passing, mode: 0o700)
            try replaceFile(file(owed.name, in: passing), with: owed.encoded(), durable: false)
        }
    }

    /// Notes one that is to be asked after a power cut, too. Durable when it returns.
    func persist(_ owed: OwedDetach) throws(RuntimeError) {
        guard let durable else { return }
        try wrapping("keep for after a reboot that a plugin is asked to attach") { () throws(SystemError) in
            if access(durable.string, F_OK) != 0 {
                try makeFolders(durable, mode: 0o700)
                var folder = durable
                // A folder is there after a power cut only if the one above it says so.
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

    /// Forgets a plugin: it has been asked, or it has attached again and is told of the end of that.
    func remove(_ plugin: String, isDurableToo: Bool) {
        for folder in folders where folder == passing || isDurableToo {
            for ending in [Self.pending, Self.asked] { try? removeFile(file(plugin, in: folder, ending), durable: folder != passing) }
        }
        tidy()
    }

    /// Takes away folders in which nothing is.
    private func tidy() {
        for folder in folders where access(folder.string, F_OK) == 0 {
            if ((try? namesInFolder(folder)) ?? ["?"]) == ["lock"] { try? removeFile(folder.appending("lock"), durable: false) }
            // Fails where anything is left, which is right.
            try? removeEmptyFolder(folder)
        }
    }

    private func wrapping<Value>(_ purpose: String, _ body: () throws(SystemError) -> Value) throws(RuntimeError) -> Value {
        do throws(SystemError) {
            return try body()
        } catch {
            throw RuntimeError("cannot \(purpose): \(error)")
        }
    }

    // MARK: Asking

    /// Only one process at a time asks again.
    ///
    /// - Returns: nil if another one still does at the deadline.
    func lock(until deadline: Deadline) throws(RuntimeError) -> FileLock? {
        try wrapping("ask plugins again") { () throws(SystemError) in
            try makeFolders(passing, mode: 0o700)
            return try FileLock.wait(for: passing.appending("lock"), until: deadline)
        }
    }

    /// Takes away what says that a request has gone out, of a process that was killed before the answer: none is sent twice.
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

    /// What keeps the record while one plugin is asked again.
    func store(of plugin: String) -> some AppliedStackStore { OwedStackStore(owed: self, plugin: plugin) }

    /// Called after the lock has been taken and all has been asked.
    func release(_ lock: FileLock) {
        try? removeFile(passing.appending("lock"), durable: false)
        tidy()
        withExtendedLifetime(lock) {}
    }

    private struct OwedStackStore: AppliedStackStore {
        let owed: OwedDetaches
        let plugin: String

        func write(_ stack: AppliedStack) throws(StackStoreError) {
            // What has not been asked stays as it is.
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
