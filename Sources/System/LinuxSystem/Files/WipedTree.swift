// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// Overwrites the data of all files below a folder with zeros, and removes them: for a file system in memory, whose freed pages keep what
/// was in them. The folder stays.
///
/// Only what is in the folder's own file system; no link is followed. Two descriptors are open at a time, however deep the tree. What can
/// not be wiped is passed over, and the rest is wiped all the same.
///
/// - Throws: `SystemError`, the first; what it is about is still there, with its data.
public func wipeTree(at folder: FilePath) throws(SystemError) {
    var walk = try WipingWalk(of: folder)
    defer { close(walk.current) }
    try walk.run()
}

private let folderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

/// Goes into each folder, and out again when nothing is in it but what could not be removed.
private struct WipingWalk {
    /// The folder in which the walk is.
    var current: CInt
    private let root: FilePath
    private let device: dev_t
    /// The folders from the root to the current one, the root left out.
    private var names: [[CChar]] = []
    /// For the root and each of these folders: what is passed over in it.
    private var passedOver: [Set<[CChar]>] = [[]]
    private var failure: SystemError?

    init(of folder: FilePath) throws(SystemError) {
        root = folder
        current = try systemCall("open", on: folder.string) { folder.withPlatformString { open($0, folderFlags) } }
        var status = stat()
        device = fstat(current, &status) == 0 ? status.st_dev : 0
    }

    mutating func run() throws(SystemError) {
        while true {
            if let name = try firstName(in: current, passingOver: passedOver[passedOver.count - 1]) {
                do throws(SystemError) { try remove(name) } catch { passOver(name, error) }
            } else {
                guard let name = names.popLast() else { break }
                passedOver.removeLast()
                try enter([CChar](repeating: CChar(UInt8(ascii: ".")), count: 2) + [0])
                do throws(SystemError) { try unlink(name, AT_REMOVEDIR) } catch { passOver(name, error) }
            }
        }
        if let failure { throw failure }
    }

    private mutating func passOver(_ name: [CChar], _ error: SystemError) {
        passedOver[passedOver.count - 1].insert(name)
        if failure != nil { return }
        let path = (names + [name]).map { String(decoding: $0.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self) }
        failure = SystemError(error.call, error.errno, on: "\(root)/\(path.joined(separator: "/"))", hint: error.hint)
    }

    private mutating func enter(_ name: [CChar]) throws(SystemError) {
        let next = try systemCall("openat", on: root.string) { openat(current, name, folderFlags) }
        close(current)
        current = next
    }

    /// Removes a file, or goes into a folder.
    private mutating func remove(_ name: [CChar]) throws(SystemError) {
        var status = stat()
        try systemCall("fstatat", on: root.string) { fstatat(current, name, &status, AT_SYMLINK_NOFOLLOW) }
        guard status.st_dev == device else {
            throw SystemError("openat", .improperLink, on: root.string, hint: "something is mounted in it")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            if status.st_mode & S_IFMT == S_IFREG { try wipe(name) }
            return try unlink(name, 0)
        }
        try enter(name)
        names.append(name)
        passedOver.append([])
    }

    private func unlink(_ name: [CChar], _ flags: CInt) throws(SystemError) {
        do throws(SystemError) {
            try systemCall("unlinkat", on: root.string) { unlinkat(current, name, flags) }
        } catch  where error.errno == .notPermitted {
            _ = CLinux_allow_changes(current)
            allowChanges(name)
            try systemCall("unlinkat", on: root.string) { unlinkat(current, name, flags) }
        }
    }

    /// What is immutable, or may only be appended to, can otherwise not be removed, by root neither.
    private func allowChanges(_ name: [CChar]) {
        let file = openat(current, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        if file < 0 { return }
        _ = CLinux_allow_changes(file)
        close(file)
    }

    private func openForWriting(_ name: [CChar]) throws(SystemError) -> CInt {
        func attempt() throws(SystemError) -> CInt {
            try systemCall("openat", on: root.string) { openat(current, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        }
        do throws(SystemError) { return try attempt() } catch  where error.errno == .notPermitted {
            allowChanges(name)
            return try attempt()
        }
    }

    private func wipe(_ name: [CChar]) throws(SystemError) {
        let file = try openForWriting(name)
        defer { close(file) }
        let zeros = [UInt8](repeating: 0, count: 64 << 10)
        var position: off_t = 0
        while true {
            // Only what has memory; a file may say that it is larger than all of it. lseek(2), SEEK_DATA: ENXIO behind the last data.
            let start = lseek(file, position, seekData)
            if start < 0 { return }
            let end = try systemCall("lseek", on: root.string) { lseek(file, start, seekHole) }
            position = start
            while position < end {
                let count = min(zeros.count, Int(end - position))
                position += off_t(try systemCall("pwrite", on: root.string) { pwrite(file, zeros, count, position) })
            }
        }
    }

    /// The bytes of a name other than `.` and `..`, with a zero behind them; nil if there is no other.
    private func firstName(in descriptor: CInt, passingOver names: Set<[CChar]>) throws(SystemError) -> [CChar]? {
        let again = try systemCall("openat", on: root.string) { openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard let stream = fdopendir(again) else {
            let error = SystemError("fdopendir", .current, on: root.string)
            close(again)
            throw error
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { $0.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } }
            let dot = CChar(UInt8(ascii: "."))
            if name != [dot] && name != [dot, dot] && !names.contains(name + [0]) { return name + [0] }
        }
        return nil
    }
}
