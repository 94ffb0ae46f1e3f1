// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import SystemPackage

/// A TCP port that only processes of this host can connect to: `127.0.0.1:9323` or `[::1]:9323`.
public struct LoopbackAddress: Sendable, Equatable, CustomStringConvertible {
    private let address: InternetAddress
    private let port: UInt16

    /// nil for any other text. Nothing is resolved.
    public init?(_ text: String) {
        for (host, bare) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")] where text.hasPrefix(host + ":") {
            let digits = text.utf8.dropFirst(host.utf8.count + 1)
            guard digits.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }), let port = UInt16(String(digits) ?? ""),
                port > 0, let address = InternetAddress(bare)
            else { return nil }
            (self.address, self.port) = (address, port)
            return
        }
        return nil
    }

    public var description: String { address.isIPv6 ? "[::1]:\(port)" : "127.0.0.1:\(port)" }

    /// A socket that listens there. socket(2), bind(2), listen(2).
    ///
    /// - Throws: `SystemError`, such as `EADDRINUSE`.
    public func listen() throws(SystemError) -> FileDescriptor {
        let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = try systemCall("socket", on: description) { socket(address.family, type, 0) }
        do throws(SystemError) {
            // A restart must not wait for the connections of the last run.
            var enabled: CInt = 1
            try systemCall("setsockopt SO_REUSEADDR", on: description) {
                setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &enabled, socklen_t(MemoryLayout<CInt>.size))
            }
            try systemCall("bind", on: description) { address.withSocketAddress(port: port) { bind(descriptor, $0, $1) } }
            try systemCall("listen", on: description) { Glibc.listen(descriptor, Self.backlog) }
        } catch {
            close(descriptor)
            throw error
        }
        return FileDescriptor(rawValue: descriptor)
    }

    /// Connections that the kernel lets wait.
    private static let backlog: CInt = 16
}
