// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import Synchronization
public import SystemPackage

/// An exclusive lock on a file; the kernel releases it when the last process that holds it ends. flock(2).
///
/// Processes made by fork(2) hold it together; a program that they become does not (close-on-exec).
public final class FileLock: Sendable {
    /// Owned by this object.
    public let descriptor: FileDescriptor

    private init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    private let isLeft = Atomic(false)

    deinit { leaveToChildren() }

    /// Releases this process's share of the lock. Children forked since then still hold it, until the last of them ends.
    public func leaveToChildren() {
        if !isLeft.exchange(true, ordering: .relaxed) { Glibc.close(descriptor.rawValue) }
    }

    /// Takes the lock if it is free. The file is made if it is not there.
    ///
    /// - Returns: nil if another holder has it.
    /// - Throws: `SystemError` of open(2); `ENOENT` if the folder is not there.
    public static func attempt(_ path: FilePath) throws(SystemError) -> FileLock? {
        while true {
            let raw = try systemCall("open", on: path.string) { open(path.string, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
            let lock = FileLock(FileDescriptor(rawValue: raw))
            do throws(SystemError) {
                try systemCall("flock", on: path.string) { CLinux_try_lock(raw) }
            } catch  where error.errno == .wouldBlock {
                return nil
            }
            // The last holder may have removed the file meanwhile; a lock on a file without a name protects nothing.
            var locked = stat()
            var named = stat()
            if fstat(raw, &locked) == 0, stat(path.string, &named) == 0, locked.st_ino == named.st_ino, locked.st_dev == named.st_dev {
                return lock
            }
        }
    }

    /// Takes the lock, at the latest by the deadline.
    ///
    /// flock(2) has no limit of its own and an alarm would be one for the whole process, so this asks again, every few milliseconds.
    ///
    /// - Returns: nil if the deadline has passed.
    public static func wait(for path: FilePath, until deadline: Deadline) throws(SystemError) -> FileLock? {
        var pause: useconds_t = 1_000
        while true {
            if let lock = try attempt(path) { return lock }
            if deadline.hasPassed { return nil }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        }
    }
}
