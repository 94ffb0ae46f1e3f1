// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// A network namespace that is held open. network_namespaces(7).
public final class NetworkNamespace: Sendable {
    /// Close-on-exec; owned by this object.
    public let descriptor: FileDescriptor
    private let identity: [UInt64]

    /// - Parameter process: nil for this one.
    /// - Throws: `SystemError` of open(2) on `/proc/PID/ns/net`.
    public init(of process: Int32?) throws(SystemError) {
        let path = "/proc/\(process.map(String.init) ?? "self")/ns/net"
        let raw = try systemCall("open", on: path) { open(path, O_RDONLY | O_CLOEXEC) }
        descriptor = FileDescriptor(rawValue: raw)
        var status = stat()
        identity = fstat(raw, &status) == 0 ? [UInt64(status.st_dev), UInt64(status.st_ino)] : []
    }

    deinit { Glibc.close(descriptor.rawValue) }

    public func isSame(as other: NetworkNamespace) -> Bool { !identity.isEmpty && identity == other.identity }

    /// Moves this thread into it. setns(2).
    public func enter() throws(SystemError) {
        try systemCall("setns", on: "a network namespace") { CLinux_setns(descriptor.rawValue, CInt(CLINUX_CLONE_NEWNET)) }
    }
}
