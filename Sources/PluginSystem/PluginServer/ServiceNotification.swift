// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import LinuxSystem
import SystemPackage

/// Tells systemd how the service is, by the protocol of sd_notify(3). Does nothing when not started by systemd.
public struct ServiceNotification: Sendable {
    private let socketName: String?

    /// Reads `NOTIFY_SOCKET` from the environment.
    public init() {
        self.init(socket: getenv("NOTIFY_SOCKET").map { String(cString: $0) })
    }

    /// - Parameter socket: a path, or after `@` an abstract name; nil for a notification that does nothing.
    public init(socket: String?) { socketName = socket }

    /// `READY=1`: the service answers now.
    public func ready(status: String? = nil) throws(SystemError) {
        try send("READY=1", status)
    }

    /// `STOPPING=1`: the service has begun to end.
    public func stopping(status: String? = nil) throws(SystemError) {
        try send("STOPPING=1", status)
    }

    /// `STATUS=…`: a line for `systemctl status`.
    public func status(_ status: String) throws(SystemError) {
        try send(nil, status)
    }

    private func send(_ state: String?, _ status: String?) throws(SystemError) {
        guard let socketName else { return }
        guard let address = UnixSocketAddress(socketName) else {
            throw SystemError("connect", .invalidArgument, on: "NOTIFY_SOCKET \(socketName)")
        }
        // The protocol is one of lines, so a second line would be another variable.
        let statusLine = status.map { "STATUS=" + String($0.map { $0.isNewline ? " " : $0 }) }
        let message = Array([state, statusLine].compactMap(\.self).joined(separator: "\n").utf8)
        let type = CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = try systemCall("socket", on: socketName) { socket(AF_UNIX, type, 0) }
        defer { close(descriptor) }
        try systemCall("sendto", on: socketName) {
            address.withSocketAddress { sendto(descriptor, message, message.count, CInt(MSG_NOSIGNAL), $0, $1) }
        }
    }
}
