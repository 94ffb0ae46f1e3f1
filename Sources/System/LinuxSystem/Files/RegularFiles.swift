// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// Reads a file that must be a regular one, whole. Anything else in its place is looked at and never opened: to open a device can act,
/// and the writer of a FIFO would go on.
///
/// - Parameters:
///   - path: its bytes are kept, also if they are not UTF-8.
///   - folder: where a relative path begins; nil for the working directory.
///   - limit: bytes; a longer file is refused with `EFBIG`.
/// - Throws: `SystemError`; `EISDIR` for a folder, `EINVAL` for anything else that is not a regular file. openat(2), O_PATH,
///   fstat(2), `/proc/self/fd`, read(2)
public func readRegularFile(_ path: FilePath, in folder: OpenFolder? = nil, limit: Int) throws(SystemError) -> [UInt8] {
    let start = folder?.descriptor ?? AT_FDCWD
    let found = try systemCall("open", on: path.string) { path.withPlatformString { openat(start, $0, CLINUX_O_PATH | O_CLOEXEC) } }
    defer { Glibc.close(found) }
    let size = try sizeOfRegularFile(found, path)
    let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
    let file = try systemCall("open", on: path.string) { () -> CInt in
        let file = open("/proc/self/fd/\(found)", flags)
        // It is there, so this is a process that has no /proc, or that of another namespace.
        return file < 0 && errno == ENOENT ? path.withPlatformString { openat(start, $0, flags) } : file
    }
    defer { Glibc.close(file) }
    _ = try sizeOfRegularFile(file, path)
    var content: [UInt8] = []
    // Most files fit; one byte more shows the end with the second call.
    var buffer = [UInt8](repeating: 0, count: min(max(size, 512), 64 << 10) + 1)
    while true {
        let count = try systemCall("read", on: path.string) { read(file, &buffer, buffer.count) }
        if count == 0 { return content }
        content.append(contentsOf: buffer[..<count])
        if content.count > limit { throw SystemError("read", .fileTooLarge, on: path.string) }
    }
}

private func sizeOfRegularFile(_ file: CInt, _ path: FilePath) throws(SystemError) -> Int {
    var status = stat()
    try systemCall("fstat", on: path.string) { fstat(file, &status) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return Int(status.st_size)
    case S_IFDIR: throw SystemError("read", .isDirectory, on: path.string, hint: "it must be a regular file")
    default: throw SystemError("open", .invalidArgument, on: path.string, hint: "it must be a regular file")
    }
}

/// Reads a regular file whole that need not be there.
///
/// A symbolic link that leads nowhere, as the file or as a folder above it, is an error: the link says that something should be there.
///
/// - Returns: nil if it is not there.
/// - Throws: `SystemError`, as ``readRegularFile(_:in:limit:)`` does, but no `ENOENT` for a file of which no part is there.
public func readRegularFileIfThere(_ path: FilePath, limit: Int) throws(SystemError) -> [UInt8]? {
    do throws(SystemError) {
        return try readRegularFile(path, limit: limit)
    } catch  where error.errno == .noSuchFileOrDirectory {
        if let link = danglingLink(in: path) {
            throw SystemError("open", error.errno, on: link.string, hint: "it is a symbolic link that leads nowhere; correct or remove it")
        }
        return nil
    }
}

/// The nearest part of a path that is there, if it is a symbolic link to something that is not.
private func danglingLink(in path: FilePath) -> FilePath? {
    var part = path
    var status = stat()
    while part.withPlatformString({ lstat($0, &status) }) != 0 {
        guard part.removeLastComponent() else { return nil }
    }
    return status.st_mode & S_IFMT == S_IFLNK && part.withPlatformString({ stat($0, &status) }) != 0 ? part : nil
}
