// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
public import SystemPackage

/// A listening socket that systemd made.
public struct ActivatedSocket: Sendable {
    /// FileDescriptorName= of the socket unit, by default the unit's name; `unknown` from a manager that tells none.
    public let name: String
    /// Nil for an abstract address.
    public let path: FilePath?
    public let descriptor: FileDescriptor
}

/// Takes over the sockets of systemd's socket units, as sd_listen_fds_with_names(3) does.
///
/// Units must have `Accept=no` (the default) and `ListenStream=` with a path.
public enum SocketActivation {
    /// What the environment says about sockets; the other variables are not read.
    public struct Variables: Sendable {
        /// `LISTEN_PID`
        public var process: String?
        /// `LISTEN_FDS`
        public var count: String?
        /// `LISTEN_FDNAMES`
        public var names: String?

        public init(process: String? = nil, count: String? = nil, names: String? = nil) {
            self.process = process
            self.count = count
            self.names = names
        }
    }

    /// Reads the environment and clears its variables, so that no child process takes the sockets for its own.
    ///
    /// Call it once, at start, while the process has one thread: unsetenv(3) is not safe beside others that read the
    /// environment.
    ///
    /// - Throws: as ``sockets(_:process:firstDescriptor:)``.
    public static func takeSockets() throws -> [ActivatedSocket] {
        let names = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]
        let values = names.map { getenv($0).map { String(cString: $0) } }
        for name in names { unsetenv(name) }
        return try sockets(.init(process: values[0], count: values[1], names: values[2]), process: getpid())
    }

    /// The sockets that the variables speak of, now close-on-exec. None if they are not there or meant for another process.
    ///
    /// - Parameters:
    ///   - process: our process id.
    ///   - firstDescriptor: 3 by the protocol.
    /// - Throws: `PluginServerError` if the variables make no sense or a descriptor is not a listening UNIX stream socket, and
    ///   `SystemError` if it is not open.
    public static func sockets(
        _ variables: Variables, process: CInt, firstDescriptor: CInt = 3
    ) throws -> [ActivatedSocket] {
        guard let owner = variables.process, let countText = variables.count else { return [] }
        guard let owner = CInt(owner), let count = CInt(countText), count >= 0, count < 1 << 16 else {
            throw PluginServerError("LISTEN_PID or LISTEN_FDS is no number: \(owner), \(countText)")
        }
        if owner != process || count == 0 { return [] }
        var names = [String](repeating: "unknown", count: Int(count))
        if let text = variables.names {
            names = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard names.count == count else { throw PluginServerError("LISTEN_FDNAMES has \(names.count) names for \(count) sockets") }
        }
        return try names.enumerated().map { index, name in
            try socket(FileDescriptor(rawValue: firstDescriptor + CInt(index)), named: name)
        }
    }

    private static func socket(_ descriptor: FileDescriptor, named name: String) throws -> ActivatedSocket {
        let operand = "descriptor \(descriptor.rawValue) (\(name))"
        try systemCall("fcntl F_SETFD", on: operand) { fcntl(descriptor.rawValue, F_SETFD, FD_CLOEXEC) }
        guard let address = try? UnixSocketAddress(of: descriptor),
            option(SO_TYPE, of: descriptor) == CInt(SOCK_STREAM.rawValue), option(SO_ACCEPTCONN, of: descriptor) == 1
        else {
            throw PluginServerError("\(operand) from systemd is no listening UNIX stream socket; its unit needs ListenStream= with a path")
        }
        return ActivatedSocket(name: name, path: address.path, descriptor: descriptor)
    }

    private static func option(_ option: CInt, of descriptor: FileDescriptor) -> CInt? {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor.rawValue, SOL_SOCKET, option, &value, &size) == 0 ? value : nil
    }
}
