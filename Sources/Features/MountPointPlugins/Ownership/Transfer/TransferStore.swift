// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// The transfers of an instance: for each a folder `transfers/N` with what it is (`transfer.json`) and its journal.
///
/// Whoever reads and writes what transfers are holds the lock of all of them, for a moment. Whoever walks a tree holds the lock of its
/// transfer; the lock of all is never held while waiting for that one.
struct TransferStore: Sendable {
    let folder: FilePath

    /// Bytes.
    private static let limit = 16 << 20
    /// For the lock of all.
    private static let patience = Duration.seconds(30)
    /// For the lock of a transfer: whoever has it may be at a tree of millions of files.
    private static let walkPatience = Duration.seconds(600)

    /// - Parameter state: the instance's folder.
    init(in state: FilePath) { folder = state.appending("transfers") }

    private func folder(of number: Int) -> FilePath { folder.appending(String(number)) }
    private func file(of number: Int) -> FilePath { folder(of: number).appending("transfer.json") }
    func journal(of number: Int) -> FilePath { folder(of: number).appending("journal") }

    // MARK: Locks

    /// - Throws: `PluginError` if another has it all the time.
    func lock() throws(PluginError) -> FileLock {
        do throws(SystemError) {
            while true {
                try makeFolders(folder.removingLastComponent(), mode: 0o711)
                try makeFolders(folder, mode: 0o700)
                do throws(SystemError) {
                    if let lock = try FileLock.wait(for: folder.appending("lock"), until: Deadline(after: Self.patience)) { return lock }
                    throw SystemError("flock", .timedOut, on: folder.appending("lock").string)
                } catch  where error.errno == .noSuchFileOrDirectory {
                    // The last transfer was removed just now, and the folder with it.
                    continue
                }
            }
        } catch {
            throw PluginError("cannot tell which trees are given to containers: \(error)")
        }
    }

    /// - Returns: nil if there is no such transfer any more.
    /// - Throws: `PluginError` if another has it all the time.
    func lock(_ number: Int) throws(PluginError) -> FileLock? {
        let file = folder(of: number).appending("lock")
        do throws(SystemError) {
            if let lock = try FileLock.wait(for: file, until: Deadline(after: Self.walkPatience)) { return lock }
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw PluginError("cannot lock a tree: \(error)")
        }
        throw PluginError("another process has been giving this tree away or back for \(Self.walkPatience)")
    }

    // MARK: What there is

    /// All of them, sorted by number.
    ///
    /// - Throws: `PluginError` for one that is damaged.
    func all() throws(PluginError) -> [(number: Int, transfer: KeptTransfer)] {
        let names: [String]
        do throws(SystemError) {
            names = try namesInFolder(folder)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return [] }
            throw PluginError("cannot tell which trees are given to containers: \(error)")
        }
        var found: [(number: Int, transfer: KeptTransfer)] = []
        for number in names.compactMap({ Int($0) }).sorted() {
            if let transfer = try read(number) { found.append((number, transfer)) }
        }
        return found
    }

    /// - Returns: nil if there is none.
    func read(_ number: Int) throws(PluginError) -> KeptTransfer? {
        let bytes: [UInt8]?
        do throws(SystemError) {
            bytes = try readRegularFileIfThere(file(of: number), limit: Self.limit)
        } catch {
            throw PluginError("cannot tell which trees are given to containers: \(error)")
        }
        guard let bytes else { return nil }
        do throws(JSONShapeError) {
            return try KeptTransfer(JSONObjectReader(parsing: bytes))
        } catch {
            throw PluginError("\(file(of: number)) is damaged: \(error); give the tree back by hand, and remove \(folder(of: number))")
        }
    }

    // MARK: Changes, by the holder of the lock of all

    /// - Returns: its number.
    func add(_ transfer: KeptTransfer) throws(PluginError) -> Int {
        do throws(SystemError) {
            var number = 1
            while true {
                do throws(SystemError) {
                    try makeFolder(folder(of: number), mode: 0o700)
                    break
                } catch  where error.errno == .fileExists {
                    number += 1
                }
            }
            try syncFolder(folder)
            try replaceFile(file(of: number), with: transfer.json.encoded())
            return number
        } catch {
            throw PluginError("cannot keep what is to be given back: \(error)")
        }
    }

    func replace(_ number: Int, with transfer: KeptTransfer) throws(PluginError) {
        do throws(SystemError) {
            try replaceFile(file(of: number), with: transfer.json.encoded())
        } catch {
            throw PluginError("cannot keep what is to be given back: \(error)")
        }
    }

    /// Forgets one that was given back: first what it is, since a journal alone means nothing.
    func remove(_ number: Int) throws(SystemError) {
        try removeFile(file(of: number))
        removeRemains()
    }

    /// Whether anything is on the disk.
    var isThere: Bool { (try? LinuxSystem.mode(of: folder)) != nil }

    /// Removes what a removal that was cut off has left, and the folder if there is nothing more.
    func removeRemains() {
        guard let names = try? namesInFolder(folder) else { return }
        for number in names.compactMap({ Int($0) }) where (try? LinuxSystem.mode(of: file(of: number))) == nil {
            // Who waits for its lock may make the file of the lock again; then it is left to the next time.
            try? removeFolder(number)
        }
        guard (try? namesInFolder(folder)) == ["lock"] else { return }
        try? removeFile(folder.appending("lock"), durable: false)
        try? removeEmptyFolder(folder)
    }

    /// Does nothing if it is not there.
    private func removeFolder(_ number: Int) throws(SystemError) {
        guard (try? LinuxSystem.mode(of: folder(of: number))) != nil else { return }
        for name in try namesInFolder(folder(of: number)) {
            try removeFile(folder(of: number).appending(name), durable: false)
        }
        try removeEmptyFolder(folder(of: number))
    }
}
