// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// A UNIX socket with which another process asks for one thing and sees when it has been done: it connects, and waits until the
/// connection closes. unix(7).
public final class DoorbellSocket: Sendable {
    /// Readable while somebody has rung; owned by this object.
    public let descriptor: FileDescriptor

    /// Listens at a path of any length, only for this user.
    ///
    /// - Throws: `SystemError` of bind(2), such as `EADDRINUSE` if the file is there.
    public init(at path: FilePath) throws(SystemError) {
        descriptor = FileDescriptor(rawValue: try Self.socket())
        let raw = descriptor.rawValue
        let mask = umask(0o177)
        defer { umask(mask) }
        try Self.with(path) { (address, length) throws(SystemError) in
            try systemCall("bind", on: path.string) { bind(raw, address, length) }
        }
        try systemCall("listen", on: path.string) { listen(raw, 16) }
    }

    deinit { Glibc.close(descriptor.rawValue) }

    /// Takes everybody who has rung, does what they want, and lets them go.
    public func answer(_ work: () -> Void) {
        var callers: [CInt] = []
        while true {
            let caller = accept(descriptor.rawValue, nil, nil)
            if caller < 0 { break }
            callers.append(caller)
        }
        if callers.isEmpty { return }
        work()
        for caller in callers { Glibc.close(caller) }
    }

    /// Lets everybody go who has rung, and has whoever comes now find that nobody listens. shutdown(2)
    public func close() {
        answer {}
        shutdown(descriptor.rawValue, CInt(SHUT_RDWR))
        answer {}
    }

    /// Rings, and waits until it has been answered, or at the longest until the deadline.
    ///
    /// - Returns: whether it has been answered.
    /// - Throws: `SystemError` of connect(2); `ENOENT` and `ECONNREFUSED` if nobody listens.
    public static func ring(_ path: FilePath, until deadline: Deadline) throws(SystemError) -> Bool {
        let raw = try socket()
        defer { Glibc.close(raw) }
        try with(path) { (address, length) throws(SystemError) in
            try systemCall("connect", on: path.string) { connect(raw, address, length) }
        }
        return Poll.wait(for: raw, until: deadline)
    }

    private static func socket() throws(SystemError) -> CInt {
        try systemCall("socket", on: "AF_UNIX") {
            Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        }
    }

    /// An address has room for 107 bytes, so the folder is named by a descriptor.
    private static func with(
        _ path: FilePath, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
    ) throws(SystemError) {
        let folder = path.removingLastComponent().string
        let raw = try systemCall("open", on: folder) { open(folder, CInt(CLINUX_O_PATH) | O_DIRECTORY | O_CLOEXEC) }
        defer { Glibc.close(raw) }
        let name = Array("/proc/self/fd/\(raw)/\(path.lastComponent?.string ?? "")".utf8)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemError("bind", .fileNameTooLong, on: path.string)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        var failure: SystemError?
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                do throws(SystemError) { try body(pointer, socklen_t(MemoryLayout<sockaddr_un>.size)) } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }
}
