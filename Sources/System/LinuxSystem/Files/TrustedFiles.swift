// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import SystemPackage

/// Reads a file that only this user can have written, whole.
///
/// - Parameter limit: bytes; a longer file is refused with `EFBIG`.
/// - Throws: `SystemError`; `ELOOP` for a symbolic link, `EPERM` if the file or its folder belongs to another user or others
///   may write to it, or if it is not a regular file.
public func readTrustedFile(_ path: FilePath, limit: Int) throws(SystemError) -> [UInt8] {
    try checkTrusted(path.removingLastComponent(), S_IFDIR)
    try checkTrusted(path, S_IFREG)
    // The folder is this user's, so no other user changes what is in it between the two.
    return try readWholeFile(path, limit: limit)
}

/// Refuses what others can write to.
///
/// - Throws: `SystemError`, as for ``readTrustedFile(_:limit:)``; `ENOENT` if it is not there.
public func checkTrustedFolder(_ path: FilePath) throws(SystemError) { try checkTrusted(path, S_IFDIR) }

private func checkTrusted(_ path: FilePath, _ type: mode_t) throws(SystemError) {
    var status = stat()
    try systemCall("lstat", on: path.string) { lstat(path.string, &status) }
    if status.st_mode & S_IFMT == S_IFLNK { throw SystemError("open", .tooManySymbolicLinkLevels, on: path.string) }
    guard status.st_mode & S_IFMT == type, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
        throw SystemError("open", .notPermitted, on: path.string, hint: "it must belong to this user, and nobody else may write to it")
    }
}
