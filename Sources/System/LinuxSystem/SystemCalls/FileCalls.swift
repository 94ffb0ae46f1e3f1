// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc

/// Calls on small files below an open directory. None follows a symbolic link in its last component.
extension SystemCall {
    /// Opens a regular file for reading. What others have put in its place is never opened, be it a device or a FIFO: `EISDIR`, `ELOOP`
    /// for a symbolic link, `ENXIO`. That it fails does not end the sequence. openat(2), O_PATH, and `/proc/self/fd`.
    public static func openFile(_ name: String, in directory: Call) -> SystemCall {
        SystemCall("openat", Int(CLINUX_OPEN_REGULAR), on: name, [.result(directory), .string(name)], options: .mayFail)
    }

    /// faccessat(2): fails where nothing of that name is.
    public static func find(_ name: String, in directory: Call) -> SystemCall {
        SystemCall("faccessat", Int(__NR_faccessat), on: name, [.result(directory), .string(name), .value(Int(F_OK))])
    }

    /// openat(2) for writing, of a file that must not be there yet.
    ///
    /// - Parameter mode: such as 0o600.
    public static func createFile(_ name: String, in directory: Call, mode: UInt32) -> SystemCall {
        let flags = Int(O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)
        return SystemCall("openat", Int(__NR_openat), on: name, [.result(directory), .string(name), .value(flags), .value(Int(mode))])
    }

    /// read(2), up to the buffer's size. That it fails does not end the sequence.
    public static func read(_ file: Call, into buffer: Buffer, on operand: String) -> SystemCall {
        SystemCall("read", Int(__NR_read), on: operand, [.result(file), .buffer(buffer), .value(buffer.count)], options: .mayFail)
    }

    /// close(2). That it fails does not end the sequence.
    public static func close(_ file: Call) -> SystemCall {
        SystemCall("close", Int(__NR_close), on: "descriptor", [.result(file)], options: .mayFail)
    }

    /// linkat(2) within one directory: gives a file a second name if nothing has that name yet (`EEXIST`), also for other
    /// clients of a server. That it fails does not end the sequence.
    public static func link(_ name: String, in directory: Call, to other: String) -> SystemCall {
        SystemCall(
            "linkat", Int(__NR_linkat), on: other,
            [.result(directory), .string(name), .result(directory), .string(other), .value(0)], options: .mayFail)
    }

    /// unlinkat(2) of a file, if the condition succeeded.
    ///
    /// - Parameter options: `.final` does it in any case, `.onFailure` only after a failure.
    public static func removeFile(_ name: String, in directory: Call, options: Options, if condition: Call) -> SystemCall {
        SystemCall(
            "unlinkat", Int(__NR_unlinkat), on: name, [.result(directory), .string(name), .value(0)], options: options, if: condition)
    }

    /// statx(2) of an open directory: its change and modification times are the result's ``changeStamp(in:)``.
    public static func status(of directory: Call, into buffer: Buffer, operand: String) -> SystemCall {
        SystemCall(
            "statx", Int(__NR_statx), on: operand,
            [
                .result(directory), .string(""), .value(Int(CLINUX_AT_EMPTY_PATH | CLINUX_AT_STATX_FORCE_SYNC)),
                .value(Int(STATX_CTIME | STATX_MTIME | STATX_INO)), .buffer(buffer),
            ])
    }
}

extension SystemCallSequence {
    /// write(2) and fsync(2). Compare the first one's result with the count: less may have been written.
    public func write(_ bytes: [UInt8], to file: Call, operand: String) -> (write: Call, sync: Call) {
        let written = add(SystemCall("write", Int(__NR_write), on: operand, [.result(file), .bytes(bytes), .value(bytes.count)]))
        return (written, add(SystemCall("fsync", Int(__NR_fsync), on: operand, [.result(file)])))
    }

    /// The size of struct statx.
    public static let statusSize = 256

    /// What differs when names in a directory have changed: inode, change and modification time, from a ``status(of:into:operand:)``.
    public func changeStamp(in buffer: Buffer) -> [UInt8] {
        let bytes = bytes(of: buffer, count: Self.statusSize)
        // stx_ino, stx_ctime, stx_mtime; linux/stat.h
        return Array(bytes[32..<40] + bytes[96..<108] + bytes[112..<124])
    }
}
