// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc

extension ListeningSockets {
    /// The socket that the kernel would give a connection to, found as it would find it. sock_diag(7), a module on most systems.
    ///
    /// Some 5 µs, where ``inodes(of:port:)`` goes through tables of the kernel that can take 20 ms even when they are empty; but
    /// of several sockets that share the port this shows only one.
    ///
    /// - Returns: an inode of sockfs; nil if no process listens, or the kernel does not offer this: it answers `ENOENT` to both.
    public static func receiver(of address: InternetAddress, port: UInt16) -> UInt64? {
        let descriptor = socket(AF_NETLINK, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), NETLINK_SOCK_DIAG)
        if descriptor < 0 { return nil }
        defer { Glibc.close(descriptor) }
        let request = request(address, port)
        var answer = [UInt8](repeating: 0, count: 4 << 10)
        guard send(descriptor, request, request.count, CInt(MSG_NOSIGNAL)) == request.count else { return nil }
        // The answer is there when send(2) has returned: SOCK_DIAG_BY_FAMILY with struct inet_diag_msg behind struct nlmsghdr.
        let count = recv(descriptor, &answer, answer.count, CInt(MSG_DONTWAIT))
        let kind = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4, as: UInt16.self) }
        let state = answer[17]
        guard count >= 88, kind == SOCK_DIAG_BY_FAMILY, state == TCP_LISTEN else { return nil }
        let inode = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 84, as: UInt32.self) }
        return inode == 0 ? nil : UInt64(inode)
    }

    /// struct nlmsghdr and struct inet_diag_req_v2.
    private static func request(_ address: InternetAddress, _ port: UInt16) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16 + 56)
        bytes.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: UInt32(bytes.count), toByteOffset: 0, as: UInt32.self)
            bytes.storeBytes(of: UInt16(SOCK_DIAG_BY_FAMILY), toByteOffset: 4, as: UInt16.self)
            bytes.storeBytes(of: UInt16(NLM_F_REQUEST), toByteOffset: 6, as: UInt16.self)
            bytes[16] = UInt8(address.family)
            bytes[17] = UInt8(IPPROTO_TCP)
            bytes.storeBytes(of: 1 << UInt32(TCP_LISTEN), toByteOffset: 20, as: UInt32.self)
            bytes.storeBytes(of: port.bigEndian, toByteOffset: 24, as: UInt16.self)
            UnsafeMutableRawBufferPointer(rebasing: bytes[28...]).copyBytes(from: address.bytes)
            // INET_DIAG_NOCOOKIE
            bytes.storeBytes(of: .max, toByteOffset: 64, as: UInt64.self)
        }
        return bytes
    }
}
