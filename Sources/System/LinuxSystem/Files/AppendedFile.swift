// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import SystemPackage

/// A file to which only this program adds, in pieces that are durable once ``sync()`` has returned. It has mode 0600.
public final class AppendedFile: Sendable {
    private let descriptor: CInt
    private let path: FilePath

    /// Opens it, and makes it if it is not there.
    ///
    /// - Throws: `SystemError` of open(2); `ELOOP` for a symbolic link.
    public init(_ path: FilePath) throws(SystemError) {
        let flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK
        descriptor = try systemCall("open", on: path.string) { path.withPlatformString { open($0, flags, 0o600) } }
        self.path = path
    }

    deinit { Glibc.close(descriptor) }

    /// Adds bytes at the end. write(2)
    ///
    /// - Throws: `SystemError`; a part of them may be there then.
    public func append(_ bytes: [UInt8]) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            written += try systemCall("write", on: path.string) {
                bytes.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written) }
            }
        }
    }

    /// Returns when all that was added is on the disk. fdatasync(2)
    public func sync() throws(SystemError) { try systemCall("fdatasync", on: path.string) { fdatasync(descriptor) } }

    /// Takes away what is behind these first bytes. ftruncate(2)
    public func truncate(to count: Int) throws(SystemError) {
        try systemCall("ftruncate", on: path.string) { ftruncate(descriptor, off_t(clamping: count)) }
    }

    /// At most `count` bytes from a place in the file; fewer only at its end. pread(2)
    public func read(_ count: Int, at offset: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = try systemCall("pread", on: path.string) {
                bytes.withUnsafeMutableBytes {
                    pread(descriptor, $0.baseAddress.map { $0 + filled }, count - filled, off_t(clamping: offset + filled))
                }
            }
            if got == 0 { break }
            filled += got
        }
        bytes.removeLast(count - filled)
        return bytes
    }
}
