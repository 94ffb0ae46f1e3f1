// SPDX-License-Identifier: AGPL-3.0-or-later

public import Glibc
public import SystemPackage

/// An address of the UNIX family (unix(7)).
public struct UnixSocketAddress: Sendable {
    private var storage = sockaddr_un()
    private var length = socklen_t(MemoryLayout<sa_family_t>.size)

    /// Bytes of a path, without the NUL that ends it.
    public static let longestPath = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// - Parameter name: a path, or after `@` a name in the abstract namespace.
    /// - Returns: nil if it is empty, too long or has a NUL in it.
    public init?(_ name: String) {
        var bytes = Array(name.utf8)
        guard !bytes.isEmpty, bytes.count <= Self.longestPath, !bytes.contains(0) else { return nil }
        let isAbstract = bytes[0] == UInt8(ascii: "@")
        if isAbstract { bytes[0] = 0 }
        storage.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &storage.sun_path) { $0.copyBytes(from: bytes) }
        // An abstract name ends with the address, a path with a NUL.
        length += socklen_t(bytes.count + (isAbstract ? 0 : 1))
    }

    /// The address of a file.
    ///
    /// - Throws: `SystemError`; `ENAMETOOLONG`, and `EINVAL` for an empty path or one with a NUL in it.
    init(of path: FilePath, for call: String) throws(SystemError) {
        let text = path.string
        let isFile = text.utf8.first != UInt8(ascii: "@")
        // A name of the abstract namespace begins with that.
        guard let address = UnixSocketAddress(isFile ? text : "./" + text) else {
            throw SystemError(call, text.utf8.count > Self.longestPath ? .fileNameTooLong : .invalidArgument, on: text)
        }
        self = address
    }

    /// Where a socket is bound. getsockname(2).
    ///
    /// - Throws: `SystemError`; `EAFNOSUPPORT` for a socket of another family.
    public init(of descriptor: FileDescriptor) throws(SystemError) {
        length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let operand = "descriptor \(descriptor.rawValue)"
        var address = storage
        var size = length
        try systemCall("getsockname", on: operand) {
            withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor.rawValue, $0, &size) }
            }
        }
        guard address.sun_family == sa_family_t(AF_UNIX) else {
            throw SystemError("getsockname", .addressFamilyNotSupported, on: operand)
        }
        storage = address
        length = size
    }

    /// Nil for an abstract or unnamed address.
    public var path: FilePath? {
        let bytes = withUnsafeBytes(of: storage.sun_path) { Array($0.prefix { $0 != 0 }) }
        return bytes.isEmpty ? nil : FilePath(String(decoding: bytes, as: UTF8.self))
    }

    public func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
