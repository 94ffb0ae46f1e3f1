// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import JSON
import LexicalPaths
import LinuxSystem
import MountPointChain
import OCIRuntime
import SystemPackage

/// The folder of one container below `/run/mountpoint-runc/containers`: what any later process needs to undo the container's mounts.
///
/// - `lock` is held by the process responsible for the container: the program that creates it, then its supervisor, then the process that
///   tears it down. If the lock is free and the phase is not `ended`, that process was killed; the next one to lock it is responsible.
/// - `container.json` is a ``SupervisionState``, `stack.json` the plugins that are still to be asked to detach.
/// - `config.json` is the bundle's as it was, if a plugin has changed a source.
/// - `control` is the supervisor's socket.
struct ContainerFolder: Sendable {
    let path: FilePath
    private let above: FilePath

    /// - Parameter root: the runtime's folder of states, which makes ids unique; nil for its default.
    /// - Throws: `RuntimeError` if no file can have that name.
    init(in state: String, root: String?, id: ContainerID) throws(RuntimeError) {
        try self.init(in: state, root: root, name: id.text)
    }

    private init(in state: String, root: String?, name: String) throws(RuntimeError) {
        let folder = Self.name(ofRoot: root)
        guard folder.utf8.count <= 255 else {
            throw RuntimeError(.badArguments, "the path given with --root is too long: \(root ?? "")")
        }
        above = FilePath(state).appending("containers").appending(folder)
        path = above.appending(name)
    }

    init(at path: FilePath) {
        self.path = path
        above = path.removingLastComponent()
    }

    /// The runtime's folder of states, as a single file name.
    static func name(ofRoot root: String?) -> String { escape(root.map(LexicalPath.fromWorkingDirectory) ?? "default") }

    /// Whether the folder exists. In doubt, it does.
    var isThere: Bool { access(path.string, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR) }
    var control: String { path.appending("control").string }

    private var recordFile: FilePath { path.appending("container.json") }
    private var stackFile: FilePath { path.appending("stack.json") }
    private var savedConfiguration: FilePath { path.appending("config.json") }
    private static let sizeLimit = 16 << 20

    /// The ids of all containers with that root.
    static func all(in state: String, root: String?) -> [ContainerID] {
        guard let some = try? ContainerFolder(in: state, root: root, name: "x"), let names = try? namesInFolder(some.above) else {
            return []
        }
        return names.compactMap { try? ContainerID($0) }
    }

    /// The folders of the containers of all roots; empty if they cannot be read.
    static func all(in state: String) -> [ContainerFolder] {
        let containers = FilePath(state).appending("containers")
        return ((try? namesInFolder(containers)) ?? []).flatMap { root in
            let folder = containers.appending(root)
            return ((try? namesInFolder(folder)) ?? []).map { ContainerFolder(at: folder.appending($0)) }
        }
    }

    // MARK: The folder

    func make() throws(RuntimeError) {
        try wrapping("keep the state of a container") { () throws(SystemError) in
            try makeFolders(above, mode: 0o700)
            try makeFolder(path, mode: 0o700)
            do throws(SystemError) {
                try replaceFile(askedFile(nil), with: [], durable: false)
            } catch {
                try? removeEmptyFolder(path)
                throw error
            }
        }
    }

    /// Locks the folder, and so becomes responsible.
    ///
    /// - Returns: nil if another process holds the lock.
    func attemptLock() throws(RuntimeError) -> FileLock? {
        try wrapping("lock the state of a container") { () throws(SystemError) in try FileLock.attempt(path.appending("lock")) }
    }

    /// - Returns: nil if another process still holds the lock at the deadline, or if the folder is gone, since then all is done.
    func waitForLock(until deadline: Deadline) throws(RuntimeError) -> FileLock? {
        do throws(SystemError) {
            return try FileLock.wait(for: path.appending("lock"), until: deadline)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw RuntimeError(.state, "cannot lock the state of a container: \(error)", cause: error)
        }
    }

    /// Removes the folder. The caller must hold the lock, and do nothing with the folder afterwards.
    func remove() throws(RuntimeError) {
        try wrapping("remove the state of a container") { () throws(SystemError) in
            // The lock is removed last: until then, no other process can become responsible for the folder.
            for name in try namesInFolder(path) where name != "lock" { try removeFile(path.appending(name), durable: false) }
            try removeFile(path.appending("lock"), durable: false)
            do throws(SystemError) {
                try removeEmptyFolder(path)
            } catch  where error.errno == .directoryNotEmpty {
                // A process that was waiting for the lock has written to the folder first.
            }
        }
    }

    /// Tells the responsible process to remove the folder when it is done. The caller does not wait for that.
    func markDeleted() { _ = try? replaceFile(deletedMark, with: [], durable: false) }

    var isMarkedDeleted: Bool { access(deletedMark.string, F_OK) == 0 }

    private var deletedMark: FilePath { path.appending("deleted") }

    // MARK: What is in it

    func write(_ record: SupervisionState) throws(RuntimeError) {
        try wrapping("keep the state of a container") { () throws(SystemError) in
            try replaceFile(recordFile, with: record.encoded(), durable: false)
        }
    }

    /// What `container.json` is.
    enum RecordReading {
        case record(SupervisionState)
        /// The file does not exist yet: the process that would have written it was killed.
        case none
        /// The file cannot be parsed.
        case damaged(RuntimeError)
    }

    /// - Throws: `RuntimeError` if the file cannot be read now, for example because no descriptor is free. It may be intact.
    func readRecord() throws(RuntimeError) -> RecordReading {
        guard let bytes = try read(recordFile) else { return .none }
        do throws(JSONShapeError) {
            return .record(try SupervisionState(parsing: bytes))
        } catch {
            return .damaged(RuntimeError(.state, "the state in \(recordFile) cannot be used: \(error)", cause: error))
        }
    }

    /// - Returns: nil if there is none yet.
    func record() throws(RuntimeError) -> SupervisionState? {
        switch try readRecord() {
        case .record(let record): return record
        case .none: return nil
        case .damaged(let error): throw error
        }
    }

    /// What `stack.json` is.
    enum StackReading {
        case stack(AppliedStack)
        /// The file cannot be parsed.
        case damaged(RuntimeError)
    }

    func stack() throws(RuntimeError) -> AppliedStack {
        switch try readStack() {
        case .stack(let stack): return stack
        case .damaged(let error): throw error
        }
    }

    /// - Throws: `RuntimeError` if the file cannot be read now, for example because no descriptor is free. It may be intact.
    func readStack() throws(RuntimeError) -> StackReading {
        guard let bytes = try read(stackFile) else { return .stack(AppliedStack()) }
        var stack: AppliedStack
        do throws(StackStoreError) {
            stack = try AppliedStack(parsing: bytes.span)
        } catch {
            return .damaged(RuntimeError(.state, "the state in \(stackFile) cannot be used: \(error.message)", cause: error))
        }
        // The plugins above were asked too, or could not be asked. Which of the two is no longer known.
        if let place = try askedPlace() {
            for index in stack.plugins.indices where index >= place { stack.plugins[index].state = .detaching }
        }
        return .stack(stack)
    }

    // MARK: Without room for a record

    /// An empty file whose name has the index of the lowest plugin in `stack.json` that was asked to detach. It is used where `stack.json`
    /// cannot be written: a full file system still allows a rename.
    private func askedFile(_ place: Int?) -> FilePath { path.appending("\(Self.askedPrefix)\(place.map(String.init) ?? Self.nobody)") }

    private static let askedPrefix = "asked."
    private static let nobody = "none"

    /// - Returns: nil if all that has been asked is in `stack.json`.
    private func askedPlace() throws(RuntimeError) -> Int? {
        let names = try wrapping("find out which plugins have been asked to detach") { () throws(SystemError) in try namesInFolder(path) }
        return names.compactMap { $0.hasPrefix(Self.askedPrefix) ? Int($0.dropFirst(Self.askedPrefix.count)) : nil }.min()
    }

    /// Prepares to record by the file's name that a plugin is asked; nil if that is not possible.
    private func prepareByName(_ stack: AppliedStack) -> PreparedRename? {
        guard let place = stack.plugins.lastIndex(where: { $0.state == .detaching }) else { return nil }
        let asked: Int?
        do throws(RuntimeError) { asked = try askedPlace() } catch { return nil }
        let before = askedFile(asked)
        return access(before.string, F_OK) == 0 ? PreparedRename(draft: before.string, path: askedFile(place).string) : nil
    }

    /// Resets the file's name after `stack.json` has been written, which then has everything.
    private func forgetAskedPlace() {
        guard let asked = try? askedPlace() else { return }
        try? renameFile(askedFile(asked), to: askedFile(nil))
    }

    func saveConfiguration(_ bytes: [UInt8]) throws(RuntimeError) {
        try wrapping("keep the bundle's config.json") { () throws(SystemError) in
            try replaceFile(savedConfiguration, with: bytes, durable: false)
        }
    }

    private static let draftPrefix = "stack.json.next-"

    /// Removes the drafts of killed processes, so that none of them is renamed later.
    func removeDrafts() {
        for name in (try? namesInFolder(path)) ?? [] where name.hasPrefix(Self.draftPrefix) {
            try? removeFile(path.appending(name), durable: false)
        }
    }

    func configurationAsItWas() throws(RuntimeError) -> [UInt8]? { try read(savedConfiguration) }

    private func read(_ file: FilePath) throws(RuntimeError) -> [UInt8]? {
        do throws(SystemError) {
            return try readRegularFile(file, limit: Self.sizeLimit)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw RuntimeError(.state, "the state of a container cannot be read: \(error)", cause: error)
        }
    }

    private func wrapping<Value>(_ purpose: String, _ body: () throws(SystemError) -> Value) throws(RuntimeError) -> Value {
        do throws(SystemError) {
            return try body()
        } catch {
            throw RuntimeError(.state, "cannot \(purpose): \(error)", cause: error)
        }
    }

    // MARK: Names

    /// A path as a single file name: `/run/runc` becomes `-run-runc`. Bytes other than letters, digits, `.` and `_` become `%2D` and so on.
    static func escape(_ path: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var name: [UInt8] = []
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "/"): name.append(UInt8(ascii: "-"))
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "."), UInt8(ascii: "_"):
                name.append(byte)
            default: name += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: name, as: UTF8.self)
    }
}

extension ContainerFolder: AppliedStackStore {
    func write(_ stack: AppliedStack) throws(StackStoreError) {
        do throws(SystemError) {
            if stack.isEmpty && stack.stopped == nil && !stack.hasFailed {
                try removeFile(stackFile, durable: false)
            } else {
                try replaceFile(stackFile, with: stack.encoded(), durable: false)
            }
            forgetAskedPlace()
        } catch {
            throw StackStoreError("the applied plugins cannot be recorded: \(error)", cause: error)
        }
    }

    func prepare(_ stack: AppliedStack) throws(StackStoreError) -> PreparedRename {
        // The process id is in the name, so that a delayed process with an earlier request cannot rename this draft.
        let draft = path.appending("\(Self.draftPrefix)\(getpid())")
        do throws(SystemError) {
            try replaceFile(draft, with: stack.encoded(), durable: false)
        } catch {
            if let prepared = prepareByName(stack) { return prepared }
            throw StackStoreError("the applied plugins cannot be recorded: \(error)", cause: error)
        }
        return PreparedRename(draft: draft.string, path: stackFile.string)
    }
}
