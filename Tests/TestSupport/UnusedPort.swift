// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// A TCP port of 127.0.0.1 at which nobody listens, and which nobody else can take as long as this exists: it is bound.
public final class UnusedPort: Sendable {
    public let number: UInt16
    private let descriptor: CInt

    public init() throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 ? getsockname(descriptor, address, &length) : -1
            }
        }
        if status != 0 {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw Trouble("no free port: \(reason)")
        }
        self.descriptor = descriptor
        number = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }
}
