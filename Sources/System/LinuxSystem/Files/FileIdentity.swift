// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// A file or folder that is held, so that nothing else can get its number: which one it is, whatever path leads there.
public final class FileIdentity: Sendable {
    private let descriptor: FileDescriptor
    public let device: UInt64
    public let inode: UInt64
    public let isFolder: Bool

    private init(owning raw: CInt, operand: String) throws(SystemError) {
        descriptor = FileDescriptor(rawValue: raw)
        var status = stat()
        let failure = fstat(raw, &status) == 0 ? nil : Errno.current
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        if let failure { throw SystemError("fstat", failure, on: operand) }
    }

    deinit { Glibc.close(descriptor.rawValue) }

    /// What a path leads to now, symbolic links followed. open(2), O_PATH.
    ///
    /// Asked for as a folder first: only then what is mounted on demand is mounted, as mount(2) would have it, too.
    public convenience init(at path: FilePath) throws(SystemError) {
        let flags = CLINUX_O_PATH | O_CLOEXEC
        let raw = try systemCall("open", on: path.string) { () -> CInt in
            path.withPlatformString { path in
                let folder = open(path, flags | O_DIRECTORY)
                return folder < 0 && errno == ENOTDIR ? open(path, flags) : folder
            }
        }
        try self.init(owning: raw, operand: path.string)
    }

    public convenience init(at path: String) throws(SystemError) { try self.init(at: FilePath(path)) }

    public func isSame(as other: FileIdentity) -> Bool { device == other.device && inode == other.inode }
}
