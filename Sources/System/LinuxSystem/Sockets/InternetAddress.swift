// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// An IPv4 or IPv6 address, without a port and without a zone.
public struct InternetAddress: Sendable, Equatable {
    /// 4 or 16 bytes in network order.
    public let bytes: [UInt8]

    /// Reads the numeric form, such as `127.0.0.1` or `::1`. inet_pton(3): never asks a resolver.
    public init?(_ text: String) {
        if text.utf8.contains(0) { return nil }
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            bytes = withUnsafeBytes(of: v4) { Array($0) }
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            bytes = withUnsafeBytes(of: v6) { Array($0) }
        } else {
            return nil
        }
    }

    init(bytes: [UInt8]) { self.bytes = bytes }

    public var isIPv6: Bool { bytes.count == 16 }

    /// 127.0.0.0/8 and ::1.
    public var isLoopback: Bool { isIPv6 ? bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1 : bytes[0] == 127 }

    /// 0.0.0.0 and ::, where a listener takes connections to every address.
    public var isWildcard: Bool { bytes.allSatisfy { $0 == 0 } }

    /// The same as IPv6: `::ffff:a.b.c.d` for an IPv4 address. RFC 4291, 2.5.5.2.
    public var mapped: InternetAddress {
        isIPv6 ? self : InternetAddress(bytes: Array(repeating: 0, count: 10) + [0xff, 0xff] + bytes)
    }

    var family: CInt { isIPv6 ? AF_INET6 : AF_INET }

    func withSocketAddress<Result>(port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
            return withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
            }
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
