// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// The system's log, for programs without a terminal and without a journal of their own.
///
/// By hand: syslog(3) takes variable arguments, which Swift cannot give.
public enum SystemLog {
    /// The priorities of syslog(3).
    public enum Priority: Sendable {
        case error, warning, notice, information, debug

        fileprivate var code: CInt {
            switch self {
            case .error: LOG_ERR
            case .warning: LOG_WARNING
            case .notice: LOG_NOTICE
            case .information: LOG_INFO
            case .debug: LOG_DEBUG
            }
        }
    }

    /// Sends one line to `/dev/log` (RFC 3164). Never blocks; where there is no log, nothing happens.
    public static func write(_ message: String, priority: Priority, from program: String) {
        guard let address = UnixSocketAddress("/dev/log") else { return }
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard socket >= 0 else { return }
        defer { close(socket) }
        let line = Array("<\(LOG_DAEMON | priority.code)>\(program)[\(getpid())]: \(message)".utf8)
        address.withSocketAddress { _ = sendto(socket, line, line.count, Int32(MSG_NOSIGNAL), $0, $1) }
    }
}
