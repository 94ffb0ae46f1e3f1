// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// Reads a file of the local system whole.
///
/// - Parameter limit: bytes; a longer file is refused with `EFBIG`, so that a damaged one cannot fill the memory.
/// - Throws: `SystemError` of open(2) or read(2).
public func readWholeFile(_ path: FilePath, limit: Int) throws(SystemError) -> [UInt8] {
    let file = try openFile(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
    defer { Glibc.close(file) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4 << 10)
    while true {
        let count = try systemCall("read", on: path.string) { Glibc.read(file, &buffer, buffer.count) }
        if count == 0 { return content }
        content.append(contentsOf: buffer[..<count])
        // Most files are small; for the others, fewer calls.
        if count == buffer.count && count < 1 << 20 { buffer = [UInt8](repeating: 0, count: count * 4) }
        if content.count > limit { throw SystemError("read", .fileTooLarge, on: path.string) }
    }
}

/// Of the file that a write makes before it replaces another one.
private let draftSuffix = ".new"

/// Removes what writes have left in a folder that were cut off; the files that they were to replace are whole. What cannot be removed
/// is left: it does no harm.
public func removeDrafts(in folder: FilePath) {
    for name in (try? namesInFolder(folder)) ?? [] where name.hasSuffix(draftSuffix) {
        try? removeFile(folder.appending(name), durable: false)
    }
}

/// Replaces a file's content as one step: a reader sees the old or the new content, and after a power cut one of them is there.
///
/// Writes `<path>.new`, syncs it, renames it over the file, and syncs the folder. open(2), fsync(2), rename(2).
///
/// - Parameter durable: false leaves out the syncs, for files that end with the boot.
/// - Throws: `SystemError`; the old file is then still there, and the new one removed.
public func replaceFile(_ path: FilePath, with content: [UInt8], mode: UInt32 = 0o600, durable: Bool = true) throws(SystemError) {
    let draft = path.extended(by: draftSuffix)
    do throws(SystemError) {
        let file = try openFile(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode)
        try write(content, to: file, durable: durable, operand: draft.string)
        try renameFile(draft, to: path)
    } catch {
        _ = draft.withPlatformString { unlink($0) }
        throw error
    }
    if durable { try syncFolder(path.removingLastComponent()) }
}

/// Removes a file, durably. A file that is not there is not an error.
public func removeFile(_ path: FilePath, durable: Bool = true) throws(SystemError) {
    do throws(SystemError) {
        try systemCall("unlink", on: path.string) { path.withPlatformString { unlink($0) } }
    } catch  where error.errno == .noSuchFileOrDirectory {
        return
    }
    if durable { try syncFolder(path.removingLastComponent()) }
}

public func renameFile(_ path: FilePath, to other: FilePath) throws(SystemError) {
    try systemCall("rename", on: "\(path) to \(other)") {
        path.withPlatformString { path in other.withPlatformString { rename(path, $0) } }
    }
}

/// A path with every symbolic link in it resolved, as the kernel shows it in the mount table; of what does not exist yet, the part
/// that does. realpath(3).
public func resolvingSymbolicLinks(_ path: FilePath) -> FilePath {
    if let resolved = path.withPlatformString({ realpath($0, nil) }) {
        defer { free(resolved) }
        return FilePath(platformString: resolved)
    }
    guard let last = path.lastComponent else { return path }
    return resolvingSymbolicLinks(path.removingLastComponent()).appending(last)
}

extension FilePath {
    /// With something more at the end of its last name.
    public func extended(by suffix: String) -> FilePath {
        withPlatformString { start in
            let bytes = UnsafeBufferPointer(start: start, count: strlen(start))
            return (bytes + suffix.utf8.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer { whole in
                whole.baseAddress.map { FilePath(platformString: $0) } ?? self
            }
        }
    }
}

/// The names in a folder, without `.` and `..`, sorted.
public func namesInFolder(_ path: FilePath) throws(SystemError) -> [String] {
    guard let folder = path.withPlatformString({ opendir($0) }) else { throw SystemError("opendir", .current, on: path.string) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// Makes a folder and those above it. One that is there already keeps its mode.
public func makeFolders(_ path: FilePath, mode: UInt32 = 0o755) throws(SystemError) {
    var partial = FilePath(root: path.root, [])
    for component in path.components {
        partial.append(component)
        do throws(SystemError) {
            try makeFolder(partial, mode: mode)
        } catch  where error.errno == .fileExists || error.errno == .readOnlyFileSystem {
            continue
        }
    }
}

/// Makes one folder; `EEXIST` is thrown like any other failure.
public func makeFolder(_ path: FilePath, mode: UInt32) throws(SystemError) {
    try systemCall("mkdir", on: path.string) { path.withPlatformString { mkdir($0, mode) } }
}

/// The mode of a file or folder without its kind; a symbolic link is followed. stat(2).
public func mode(of path: FilePath) throws(SystemError) -> UInt32 {
    var status = stat()
    try systemCall("stat", on: path.string) { path.withPlatformString { stat($0, &status) } }
    return status.st_mode & 0o7777
}

/// The user to whom a file or folder belongs; a symbolic link is not followed. lstat(2).
public func owner(of path: FilePath) throws(SystemError) -> UInt32 {
    var status = stat()
    try systemCall("lstat", on: path.string) { path.withPlatformString { lstat($0, &status) } }
    return status.st_uid
}

/// chmod(2).
public func setMode(of path: FilePath, to mode: UInt32) throws(SystemError) {
    try systemCall("chmod", on: path.string) { path.withPlatformString { chmod($0, mode) } }
}

/// When a file was made, links not followed. statx(2), `stx_btime`, Linux 4.11.
///
/// - Returns: seconds and nanoseconds since 1970.
/// - Throws: `SystemError`; `EOPNOTSUPP` if its file system does not keep it.
public func birthTime(of path: FilePath) throws(SystemError) -> (seconds: Int64, nanoseconds: UInt32) {
    var time: (seconds: Int64, nanoseconds: UInt32) = (0, 0)
    try systemCall("statx", on: path.string) { CLinux_birth_time(path.string, &time.seconds, &time.nanoseconds) }
    return time
}

/// Removes an empty folder. rmdir(2): never removes what is in it, `EBUSY` if something is mounted there.
public func removeEmptyFolder(_ path: FilePath) throws(SystemError) {
    do throws(SystemError) {
        try systemCall("rmdir", on: path.string) { path.withPlatformString { rmdir($0) } }
    } catch  where error.errno == .noSuchFileOrDirectory {
        return
    }
}

/// Writes all of it and closes the descriptor, whatever happens.
private func write(_ content: [UInt8], to file: CInt, durable: Bool, operand: String) throws(SystemError) {
    defer { Glibc.close(file) }
    var written = 0
    while written < content.count {
        written += try systemCall("write", on: operand) {
            content.withUnsafeBytes { Glibc.write(file, $0.baseAddress.map { $0 + written }, content.count - written) }
        }
    }
    if durable { try systemCall("fsync", on: operand) { fsync(file) } }
}

/// Makes durable which names are in a folder. fsync(2).
public func syncFolder(_ path: FilePath) throws(SystemError) {
    let folder = try openFile(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { Glibc.close(folder) }
    try systemCall("fsync", on: path.string) { fsync(folder) }
}

private func openFile(_ path: FilePath, _ flags: CInt, _ mode: UInt32 = 0) throws(SystemError) -> CInt {
    try systemCall("open", on: path.string) { path.withPlatformString { open($0, flags, mode) } }
}
