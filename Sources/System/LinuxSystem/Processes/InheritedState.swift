// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc

/// What this process inherited from its parent and cannot work with. For programs with a single thread.
public struct InheritedState: Sendable {
    private let ignoredSignals: [CInt]
    private let otherSignals: [CInt]

    /// Makes the process fit to work, as the very first thing:
    ///
    /// - Standard input, output and error are open. A closed one would be the next file's number, which then is taken for it.
    /// - SIGCHLD has its default action: where it is ignored, children vanish without having been waited for.
    /// - SIGPIPE and SIGXFSZ are ignored: what they report is also the error of a call.
    public init() {
        for standard in STDIN_FILENO...STDERR_FILENO where fcntl(standard, F_GETFD) < 0 {
            // Gets the lowest number that is free, and is for programs that this one becomes, too. There is nothing to do if it fails.
            _ = open("/dev/null", O_RDWR)
        }
        var ignored: [CInt] = []
        var others: [CInt] = []
        for (number, wasIgnored) in [
            (SIGCHLD, CLinux_default_signal(SIGCHLD)), (SIGPIPE, CLinux_ignore_signal(SIGPIPE)), (SIGXFSZ, CLinux_ignore_signal(SIGXFSZ)),
        ] {
            if wasIgnored == 1 { ignored.append(number) } else { others.append(number) }
        }
        ignoredSignals = ignored
        otherSignals = others
    }

    /// Restores the signals' earlier actions, for a program that this process becomes. execve(2) resets none that is ignored.
    public func restoreSignals() {
        for number in ignoredSignals { _ = CLinux_ignore_signal(number) }
        for number in otherSignals { _ = CLinux_default_signal(number) }
    }
}
