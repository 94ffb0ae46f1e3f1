// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage

/// A bare UNIX socket, for what a server finds or is given.
struct TestSocket: ~Copyable {
    let descriptor: CInt

    /// - Parameter name: a path, or after `@` an abstract name; nil to leave it unbound.
    init(_ type: __socket_type, at name: String? = nil, listening: Bool = false) throws {
        descriptor = socket(AF_UNIX, CInt(type.rawValue), 0)
        guard let name else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.utf8) }
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        if name.hasPrefix("@") {
            address.sun_path.0 = 0
            length = socklen_t(MemoryLayout<sa_family_t>.size + name.utf8.count)
        }
        let result = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        if result != 0 || (listening && listen(descriptor, 5) != 0) { throw Errno(rawValue: errno) }
    }

    deinit { close(descriptor) }

    /// Puts a copy at a descriptor of the caller's choice, which the caller closes.
    func copy(to target: CInt) { dup2(descriptor, target) }

    /// The next datagram.
    func receive() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, CInt(MSG_DONTWAIT))
        return String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
    }
}
