// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import SystemPackage

/// Whether a process listens at a UNIX socket.
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
        let address: UnixSocketAddress
        do throws(SystemError) {
            address = try UnixSocketAddress(of: path, for: "connect")
        } catch {
            self = .unknown(error)
            return
        }
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        defer { close(descriptor) }
        let result = address.withSocketAddress { connect(descriptor, $0, $1) }
        let code = Errno.current
        switch (result, code) {
        case (0, _), (_, .resourceTemporarilyUnavailable): self = .listening
        case (_, .connectionRefused): self = .dead
        default: self = .unknown(SystemError("connect", code, on: path.string))
        }
    }
}
