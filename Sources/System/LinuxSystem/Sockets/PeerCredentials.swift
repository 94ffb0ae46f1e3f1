// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// Which process is at the other end of a UNIX socket. unix(7): SO_PEERCRED, SO_PASSCRED, SCM_CREDENTIALS.
extension StreamSocket {
    /// The process that called listen(2), which may have ended since, or have left the socket to others.
    ///
    /// - Returns: nil for a process of another pid namespace, and for a socket of another family.
    public borrowing func listeningProcess() -> CInt? {
        var credentials: (process: CInt, user: UInt32, group: UInt32) = (0, 0, 0)
        var length = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 else { return nil }
        return credentials.process > 0 ? credentials.process : nil
    }

    /// Makes the kernel attach the sending process to all that the peer sends from now on.
    public borrowing func noteSenders() {
        var on: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_PASSCRED, &on, socklen_t(MemoryLayout<CInt>.size))
    }

    /// Like ``receive(into:)``, with the process that sent these bytes, if ``noteSenders()`` was called before it did. recvmsg(2).
    ///
    /// - Returns: `process` is nil where it is not visible here, and for a socket of another family.
    public borrowing func receiveWithSender(into buffer: inout [UInt8]) throws(SystemError) -> (count: Int, process: CInt?)? {
        // struct cmsghdr (length, level, type), then struct ucred (process, user, group), which Swift does not import.
        var control: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
        let capacity = buffer.count
        let count = buffer.withUnsafeMutableBytes { bytes in
            withUnsafeMutableBytes(of: &control) { control in
                var part = iovec(iov_base: bytes.baseAddress, iov_len: capacity)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    while true {
                        let count = recvmsg(descriptor, &message, CInt(MSG_CMSG_CLOEXEC))
                        if count >= 0 { return count }
                        let code = Errno.current
                        if code != .interrupted { return -Int(code.rawValue) }
                    }
                }
            }
        }
        if count < 0 {
            let code = Errno(rawValue: CInt(-count))
            if code == .resourceTemporarilyUnavailable { return nil }
            throw SystemError("recvmsg", code, on: "a plugin's answer")
        }
        let process = withUnsafeBytes(of: &control) { bytes -> CInt? in
            let header = MemoryLayout<cmsghdr>.size
            let isCredentials =
                bytes.loadUnaligned(as: Int.self) >= header + 12 && bytes.loadUnaligned(fromByteOffset: 8, as: CInt.self) == SOL_SOCKET
                && bytes.loadUnaligned(fromByteOffset: 12, as: CInt.self) == CLINUX_SCM_CREDENTIALS
            let process = bytes.loadUnaligned(fromByteOffset: header, as: CInt.self)
            return isCredentials && process > 0 ? process : nil
        }
        return (count, process)
    }
}
