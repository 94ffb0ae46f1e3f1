// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import SystemPackage

/// Overwrites the data of all files below a folder with zeros, and removes them: for a file system in memory, whose freed pages keep what
/// was in them. The folder stays.
///
/// Only what is in the folder's own file system; no link is followed. Two descriptors are open at a time, however deep the tree.
///
/// - Throws: `SystemError`; what was not reached keeps its data.
public func wipeTree(at folder: FilePath) throws(SystemError) {
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    var current = try systemCall("open", on: folder.string) { folder.withPlatformString { open($0, flags) } }
    defer { close(current) }
    var device = stat()
    try systemCall("fstat", on: folder.string) { fstat(current, &device) }
    var names: [[CChar]] = []
    while true {
        if let name = try firstName(in: current, folder) {
            var status = stat()
            try systemCall("fstatat", on: folder.string) { fstatat(current, name, &status, AT_SYMLINK_NOFOLLOW) }
            guard status.st_dev == device.st_dev else { throw SystemError("openat", .improperLink, on: folder.string) }
            if status.st_mode & S_IFMT == S_IFDIR {
                let next = try systemCall("openat", on: folder.string) { openat(current, name, flags) }
                close(current)
                current = next
                names.append(name)
            } else {
                if status.st_mode & S_IFMT == S_IFREG { try wipeFile(name, in: current, folder) }
                try systemCall("unlinkat", on: folder.string) { unlinkat(current, name, 0) }
            }
        } else {
            guard let name = names.popLast() else { return }
            let above = try systemCall("openat", on: folder.string) { openat(current, "..", flags) }
            close(current)
            current = above
            try systemCall("unlinkat", on: folder.string) { unlinkat(current, name, AT_REMOVEDIR) }
        }
    }
}

/// The bytes of a name other than `.` and `..`, with a zero behind them; nil if the folder is empty.
private func firstName(in descriptor: CInt, _ folder: FilePath) throws(SystemError) -> [CChar]? {
    let again = try systemCall("openat", on: folder.string) { openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard let stream = fdopendir(again) else {
        let error = SystemError("fdopendir", .current, on: folder.string)
        close(again)
        throw error
    }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { $0.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } }
        let dot = CChar(UInt8(ascii: "."))
        if name != [dot] && name != [dot, dot] { return name + [0] }
    }
    return nil
}

private func wipeFile(_ name: [CChar], in folder: CInt, _ operand: FilePath) throws(SystemError) {
    let file = try systemCall("openat", on: operand.string) { openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
    defer { close(file) }
    let zeros = [UInt8](repeating: 0, count: 64 << 10)
    var position: off_t = 0
    while true {
        // Only what has memory; a file may say that it is larger than all of it. lseek(2), SEEK_DATA: ENXIO behind the last data.
        let start = lseek(file, position, seekData)
        if start < 0 { return }
        let end = try systemCall("lseek", on: operand.string) { lseek(file, start, seekHole) }
        position = start
        while position < end {
            let count = min(zeros.count, Int(end - position))
            position += off_t(try systemCall("pwrite", on: operand.string) { pwrite(file, zeros, count, position) })
        }
    }
}
