// SPDX-License-Identifier: AGPL-3.0-or-later

public import Glibc
import LinuxSystem

/// What a user calls the server: a host name, an IPv4 or an IPv6 address (with or without brackets, with or without scope).
public struct ServerName: Sendable, Equatable {
    /// Without brackets.
    public let text: String

    /// Refuses what cannot be a host: empty, over 253 bytes, or with bytes that names and addresses do not have.
    public init?(_ text: String) {
        var bare = Substring(text)
        if bare.hasBytePrefix("[") {
            guard bare.hasByteSuffix("]") else { return nil }
            bare = bare.dropFirst().dropLast()
            guard bare.utf8.contains(UInt8(ascii: ":")) else { return nil }
        }
        let allowed = bare.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "%"):
                true
            default: byte >= 0x80  // an international name: the resolver decides
            }
        }
        guard allowed, !bare.isEmpty, bare.utf8.count <= 253, bare.first != "-" else { return nil }
        // By bytes: a colon with an accent is another character to Swift, and still a colon to the kernel.
        if bare.utf8.contains(UInt8(ascii: ":")) {
            let scoped = bare.split(atByte: "%", omittingEmpty: false)
            guard NumericAddress.isIPv6(scoped[0]), scoped.count == 1 || scoped.count == 2 && !scoped[1].isEmpty else { return nil }
        } else if bare.utf8.contains(UInt8(ascii: "%")) {
            return nil
        }
        self.text = String(bare)
    }

    public var isIPv6Literal: Bool { text.utf8.contains(UInt8(ascii: ":")) }

    /// As it is written before `:/path` in the kernel's source: an IPv6 address in brackets.
    public var sourceLabel: String { isIPv6Literal ? "[\(text)]" : text }
}

/// A numeric address of a server, as kernel clients take it.
public struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    public enum Family: Sendable { case ipv4, ipv6 }

    public let family: Family
    /// `192.0.2.7`, `2001:db8::7`, `fe80::7%eth0`.
    public let text: String

    public init(_ family: Family, _ text: String) {
        self.family = family
        self.text = text
    }

    public var description: String { text }
}

public enum NumericAddress {
    static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }

    /// The numeric text of a socket address, with scope for link-local IPv6. getnameinfo(3).
    public static func text(_ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> String? {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, length, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0 else { return nil }
        return String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
