// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import SystemPackage

/// A lock on a file by which a process keeps other processes out until it ends. fcntl(2), F_SETLK.
///
/// Unlike ``FileLock`` it is not shared by processes that this one makes, so one of them that cannot be killed does not hold it. Within
/// the process it keeps nobody out. It is lost when the process closes any descriptor of the file, so nothing else may open it.
public final class ProcessLock: Sendable {
    private let descriptor: CInt

    deinit { Glibc.close(descriptor) }

    /// Takes the lock if no other process has it. The file is made if it is not there.
    ///
    /// - Throws: `SystemError` of open(2); `EAGAIN` with the holder's process number as hint if another process has it.
    public init(_ path: FilePath) throws(SystemError) {
        let descriptor = try systemCall("open", on: path.string) {
            path.withPlatformString { open($0, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600) }
        }
        self.descriptor = descriptor
        var wanted = flock()
        wanted.l_type = Int16(truncatingIfNeeded: F_WRLCK)
        wanted.l_whence = Int16(truncatingIfNeeded: SEEK_SET)
        if fcntl(descriptor, F_SETLK, &wanted) == 0 { return }
        let code = Errno(rawValue: errno)
        guard code == .resourceTemporarilyUnavailable || code == .permissionDenied else {
            throw SystemError("lock", code, on: path.string)
        }
        let isKnown = fcntl(descriptor, F_GETLK, &wanted) == 0 && wanted.l_pid > 0
        throw SystemError(
            "lock", .resourceTemporarilyUnavailable, on: path.string,
            hint: isKnown ? "process \(wanted.l_pid) has it; stop that one first" : "another process has it; stop that one first")
    }
}
