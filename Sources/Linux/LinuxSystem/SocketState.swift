// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import SystemPackage

/// Whether somebody listens at a UNIX socket.
public enum SocketState: Sendable, Equatable {
    case listening, dead, missing, notASocket
    case unknown(SystemError)

    /// Connects and closes at once. connect(2), without waiting.
    public init(of path: FilePath) {
        var status = stat()
        guard lstat(path.string, &status) == 0 else {
            let code = Errno.current
            self = code == .noSuchFileOrDirectory ? .missing : .unknown(SystemError("lstat", code, on: path.string))
            return
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            self = .notASocket
            return
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.string.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else {
            self = .unknown(SystemError("connect", .fileNameTooLong, on: path.string))
            return
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        defer { close(descriptor) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        let code = Errno.current
        switch (result, code) {
        case (0, _), (_, .resourceTemporarilyUnavailable): self = .listening
        case (_, .connectionRefused): self = .dead
        default: self = .unknown(SystemError("connect", code, on: path.string))
        }
    }
}
