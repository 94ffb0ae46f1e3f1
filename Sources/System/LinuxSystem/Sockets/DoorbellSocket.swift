// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// A UNIX socket with which another process asks for one thing and sees when it has been done: it connects, and waits until the
/// connection closes. unix(7).
public final class DoorbellSocket: Sendable {
    /// Readable while a caller waits; owned by this object.
    public let descriptor: FileDescriptor

    /// Listens at a path of any length, only for this user.
    ///
    /// - Throws: `SystemError` of bind(2), such as `EADDRINUSE` if the file is there.
    public init(at path: FilePath) throws(SystemError) {
        descriptor = FileDescriptor(rawValue: try Self.socket())
        let raw = descriptor.rawValue
        // The file gets the socket's mode.
        try systemCall("fchmod", on: "a socket") { fchmod(raw, 0o600) }
        try Self.with(path, for: "bind") { bind(raw, $0, $1) }
        try systemCall("listen", on: path.string) { listen(raw, 16) }
    }

    deinit { Glibc.close(descriptor.rawValue) }

    /// Accepts all waiting callers, runs `work`, then closes their connections.
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

    /// Closes the connections of all waiting callers; later ones find that no process listens. shutdown(2)
    public func close() {
        answer {}
        shutdown(descriptor.rawValue, CInt(SHUT_RDWR))
        answer {}
    }

    /// Rings, and waits until it has been answered, or at the longest until the deadline.
    ///
    /// - Returns: whether it has been answered.
    /// - Throws: `SystemError` of connect(2); `ENOENT` and `ECONNREFUSED` if no process listens.
    public static func ring(_ path: FilePath, until deadline: Deadline) throws(SystemError) -> Bool {
        let raw = try socket()
        defer { Glibc.close(raw) }
        try with(path, for: "connect") { connect(raw, $0, $1) }
        return Poll.wait(for: raw, until: deadline)
    }

    private static func socket() throws(SystemError) -> CInt {
        try systemCall("socket", on: "AF_UNIX") {
            Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        }
    }

    /// An address has room for 107 bytes, so the folder is named by a descriptor.
    private static func with(
        _ path: FilePath, for call: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) throws(SystemError) {
        let folder = path.removingLastComponent().string
        let raw = try systemCall("open", on: folder) { open(folder, CLINUX_O_PATH | O_DIRECTORY | O_CLOEXEC) }
        defer { Glibc.close(raw) }
        let name = path.lastComponent?.string ?? ""
        guard let address = UnixSocketAddress("/proc/self/fd/\(raw)/\(name)") else {
            throw SystemError(call, .fileNameTooLong, on: path.string)
        }
        try systemCall(call, on: path.string) { address.withSocketAddress(body) }
    }
}
