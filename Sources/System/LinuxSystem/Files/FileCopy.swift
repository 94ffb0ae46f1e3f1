// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// Linux' values, which libc shows only with _GNU_SOURCE. include/uapi/linux/fs.h.
let seekData: CInt = 3
let seekHole: CInt = 4

/// Makes a file of mode 0600 with the data of another; what has no data in that one has none in this.
///
/// By the file system itself where it can share or copy data: copy_file_range(2).
///
/// - Throws: `SystemError`; `EINVAL` if the other is no regular file, `EEXIST` if there is something of that name. What was made is
///   left.
public func copyFileData(
    _ name: EntryName, in folder: OpenFolder, to other: EntryName, in target: OpenFolder
) throws(SystemError) {
    let (text, made) = (folder.path(of: name), target.path(of: other))
    let from = try systemCall("openat", on: text) {
        openat(folder.descriptor, name.terminated, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    }
    defer { close(from) }
    var status = stat()
    try systemCall("fstat", on: text) { fstat(from, &status) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError("openat", .invalidArgument, on: text) }
    let to = try systemCall("openat", on: made) {
        openat(target.descriptor, other.terminated, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    }
    defer { close(to) }
    try systemCall("ftruncate", on: made) { ftruncate(to, status.st_size) }
    var position: off_t = 0
    while true {
        // ENXIO behind the last data.
        let start = lseek(from, position, seekData)
        if start < 0 { return }
        position = try systemCall("lseek", on: text) { lseek(from, start, seekHole) }
        try copyRange(from, to, start..<position, text, made)
    }
}

private func copyRange(_ from: CInt, _ to: CInt, _ range: Range<off_t>, _ text: String, _ target: String) throws(SystemError) {
    var position = Int64(range.lowerBound)
    let end = Int64(range.upperBound)
    while position < end {
        let wanted = Int(clamping: end - position)
        let copied = CLinux_copy_range(from, to, &position, wanted)
        if copied > 0 { continue }
        // Shorter by now.
        if copied == 0 { return }
        switch errno {
        case EINTR: continue
        // Not between these two file systems, or not of this one.
        case EXDEV, EINVAL, ENOSYS, EOPNOTSUPP: break
        default: throw SystemError("copy_file_range", .current, on: "\(text) to \(target)")
        }
        var buffer = [UInt8](repeating: 0, count: min(wanted, 256 << 10))
        let count = try systemCall("pread", on: text) { pread(from, &buffer, buffer.count, off_t(position)) }
        if count == 0 { return }
        var written = 0
        while written < count {
            written += try systemCall("pwrite", on: target) {
                buffer[written..<count].withUnsafeBytes { pwrite(to, $0.baseAddress, $0.count, off_t(position) + off_t(written)) }
            }
        }
        position += Int64(count)
    }
}

/// Makes an empty file of this mode.
public func makeEmptyFile(_ name: EntryName, in folder: OpenFolder, mode: UInt32) throws(SystemError) {
    let file = try systemCall("openat", on: folder.path(of: name)) {
        openat(folder.descriptor, name.terminated, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    }
    close(file)
    if mode != 0o600 { try folder.setMode(of: name, to: mode) }
}

/// The data of a regular file, from its start.
///
/// - Parameter limit: bytes; the rest is left.
public func fileData(_ name: EntryName, in folder: OpenFolder, limit: Int) throws(SystemError) -> [UInt8] {
    let text = folder.path(of: name)
    let file = try systemCall("openat", on: text) {
        openat(folder.descriptor, name.terminated, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    }
    defer { close(file) }
    var data: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while data.count < limit {
        let count = try systemCall("read", on: text) { read(file, &buffer, min(buffer.count, limit - data.count)) }
        if count == 0 { break }
        data += buffer[..<count]
    }
    return data
}

/// Whether two regular files have the same data.
public func haveSameData(
    _ name: EntryName, in folder: OpenFolder, as other: EntryName, in otherFolder: OpenFolder
) throws(SystemError) -> Bool {
    let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
    let one = try systemCall("openat", on: folder.path(of: name)) { openat(folder.descriptor, name.terminated, flags) }
    defer { close(one) }
    let two = try systemCall("openat", on: otherFolder.path(of: other)) { openat(otherFolder.descriptor, other.terminated, flags) }
    defer { close(two) }
    var (left, right) = ([UInt8](repeating: 0, count: 128 << 10), [UInt8](repeating: 0, count: 128 << 10))
    var position: off_t = 0
    while true {
        let count = try systemCall("pread", on: folder.path(of: name)) { pread(one, &left, left.count, position) }
        let others = try systemCall("pread", on: otherFolder.path(of: other)) { pread(two, &right, right.count, position) }
        if count != others || left[..<count] != right[..<others] { return false }
        if count == 0 { return true }
        position += off_t(count)
    }
}

/// What a file handle of a folder's file system names, as overlayfs keeps them; nil if it is no more. open_by_handle_at(2)
///
/// - Throws: `SystemError`; `EPERM` without CAP_DAC_READ_SEARCH, `EOPNOTSUPP` where a file system has no handles.
public func entryStatus(ofHandle type: UInt8, _ handle: [UInt8], on folder: OpenFolder) throws(SystemError) -> EntryStatus? {
    let file: CInt
    do throws(SystemError) {
        file = try systemCall("open_by_handle_at", on: folder.text) {
            CLinux_open_handle(folder.descriptor, CInt(type), handle, CUnsignedInt(clamping: handle.count))
        }
    } catch {
        if error.errno == .staleNFSFileHandle { return nil }
        throw error
    }
    defer { close(file) }
    var found = CLinux_status()
    try systemCall("statx", on: folder.text) { CLinux_status_of(file, "", &found) }
    return found.links == 0 ? nil : EntryStatus(found)
}
