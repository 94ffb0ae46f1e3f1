// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import SystemPackage

/// Adds a line at the end of a file, in one step beside other writers. The file is made if it is not there, of mode 0600.
///
/// - Parameters:
///   - older: where a file goes that has reached the limit; one that is there is replaced.
///   - limit: bytes.
/// - Throws: `SystemError` of open(2), fstat(2), rename(2) or write(2); `ELOOP` for a symbolic link.
public func appendLine(_ line: [UInt8], to file: FilePath, movingTo older: FilePath, limit: Int) throws(SystemError) {
    var descriptor = try openForAppending(file)
    defer { close(descriptor) }
    var status = stat()
    try systemCall("fstat", on: file.string) { fstat(descriptor, &status) }
    if Int(status.st_size) >= limit {
        try renameFile(file, to: older)
        let new = try openForAppending(file)
        close(descriptor)
        descriptor = new
    }
    _ = try systemCall("write", on: file.string) { write(descriptor, line, line.count) }
}

private func openForAppending(_ file: FilePath) throws(SystemError) -> CInt {
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK
    return try systemCall("open", on: file.string) { file.withPlatformString { open($0, flags, 0o600) } }
}
