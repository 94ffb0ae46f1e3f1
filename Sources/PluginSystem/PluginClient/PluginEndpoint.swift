// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

/// Where a plugin answers, and where that was found.
public struct PluginEndpoint: Sendable, Equatable {
    public let name: PluginName
    public let address: PluginAddress
    /// The socket, or the file that names the address.
    public let foundAt: String

    public init(name: PluginName, address: PluginAddress, foundAt: String) {
        self.name = name
        self.address = address
        self.foundAt = foundAt
    }
}

/// The name of a plugin, checked to be safe as a file name.
public struct PluginName: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    /// Bytes; with what is put behind it a name must stay a file name (255).
    public static let longest = 128

    /// - Throws: `PluginClientError` for a name that is empty, too long, begins with a dot, or has `/` or a control character in it.
    public init(_ text: String) throws(PluginClientError) {
        let reason: String?
        if text.isEmpty {
            reason = "it is empty"
        } else if text.utf8.count > Self.longest {
            reason = "it has \(text.utf8.count) bytes, and \(Self.longest) is the limit"
        } else if text.utf8.first == UInt8(ascii: ".") {
            reason = "it begins with a dot"
        } else if text.utf8.contains(UInt8(ascii: "/")) {
            reason = "it has a / in it, as only managed plugins have, and these are not supported"
        } else if SanitizedText.hasControl(text) {
            reason = "it has a control character in it"
        } else {
            reason = nil
        }
        if let reason {
            let shown = SanitizedText(text, limit: 64).text
            throw PluginClientError(.notSent, plugin: shown, "\"\(shown)\" is no name of a plugin: \(reason); correct it in the chain")
        }
        self.text = text
    }

    public var description: String { text }

    /// By bytes, as file names are.
    public static func == (one: PluginName, other: PluginName) -> Bool { one.text.utf8.elementsEqual(other.text.utf8) }
    public func hash(into hasher: inout Hasher) { for byte in text.utf8 { hasher.combine(byte) } }
}

/// How a plugin is connected to.
public enum PluginAddress: Sendable, Equatable, CustomStringConvertible {
    case unix(path: String)
    /// `host` is numeric (IPv6 without brackets), `localhost`, or a name in /etc/hosts.
    case tcp(host: String, port: UInt16)

    /// The form that a `.spec` file has.
    public var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): host.utf8.contains(UInt8(ascii: ":")) ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
        }
    }

    /// Reads `unix:///path`, `tcp://host:port` or `http://host:port`; without a port it is 80, as for Docker.
    ///
    /// - Throws: `PluginAddressError`, for TLS too.
    public init(_ text: String) throws(PluginAddressError) {
        if SanitizedText.hasControl(text) { throw PluginAddressError("it has a control character or a second line in it") }
        if text.isEmpty { throw PluginAddressError("it is empty") }
        for (scheme, isUnix) in [("unix://", true), ("tcp://", false), ("http://", false)] where text.hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.count)
            if rest.contains(where: { "%?#@ ".contains($0) }) { throw PluginAddressError("it has one of %, ?, #, @ and space in it") }
            self = isUnix ? try Self.unix(rest) : try Self.tcp(rest)
            return
        }
        if text.hasPrefix("https://") {
            throw PluginAddressError("TLS is not supported yet; let the plugin listen on a UNIX socket, or on a local address without TLS")
        }
        throw PluginAddressError("it begins with none of unix://, tcp:// and http://")
    }

    private static func unix(_ path: Substring) throws(PluginAddressError) -> PluginAddress {
        guard path.hasPrefix("/") else { throw PluginAddressError("after unix:// an absolute path must follow, as in unix:///run/x.sock") }
        return .unix(path: String(path))
    }

    private static func tcp(_ text: Substring) throws(PluginAddressError) -> PluginAddress {
        var rest = text
        if rest.hasSuffix("/") { rest.removeLast() }
        if rest.contains("/") { throw PluginAddressError("nothing may follow host and port") }
        let host: Substring
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else { throw PluginAddressError("the ] after the IPv6 address is missing") }
            host = rest[rest.index(after: rest.startIndex)..<end]
            rest = rest[rest.index(after: end)...]
            if !rest.isEmpty && rest.first != ":" { throw PluginAddressError("after ] only a port may follow") }
        } else {
            let end = rest.firstIndex(of: ":") ?? rest.endIndex
            host = rest[..<end]
            rest = rest[end...]
            if rest.dropFirst().contains(":") { throw PluginAddressError("an IPv6 address must stand in brackets, as in tcp://[::1]:80") }
        }
        if host.isEmpty { throw PluginAddressError("it has no host") }
        if rest.isEmpty { return .tcp(host: String(host), port: 80) }
        let digits = rest.dropFirst()
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits), port > 0 else {
            throw PluginAddressError("its port is not a number from 1 to 65535")
        }
        return .tcp(host: String(host), port: port)
    }
}

/// Why a text is not the address of a plugin.
public struct PluginAddressError: Error, Sendable, Equatable, CustomStringConvertible {
    public let reason: String
    init(_ reason: String) { self.reason = reason }
    public var description: String { reason }
}
