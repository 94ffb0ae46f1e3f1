// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// The signals that ask a daemon to end: SIGTERM, SIGINT, SIGHUP. signalfd(2).
public struct TerminationSignals: Sendable {
    private let descriptor: CInt

    /// Blocks them for the calling thread and all that it makes, so it is to be called before anything makes threads. Also
    /// ignores SIGPIPE.
    public init() throws(SystemError) {
        descriptor = try systemCall("signalfd", on: "for SIGTERM, SIGINT and SIGHUP") { CLinux_termination_signals() }
    }

    /// Awaits the first of them.
    ///
    /// - Returns: its name.
    public func first() async throws -> String {
        try await BlockingThread.run(named: "signals") { [descriptor] in
            let number = try systemCall("read", on: "signals") { CLinux_read_signal(descriptor) }
            return number == SIGTERM ? "SIGTERM" : number == SIGINT ? "SIGINT" : "SIGHUP"
        }
    }
}
