// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// Every signal to this process, as something to poll for. signalfd(2).
public final class SignalQueue: Sendable {
    public struct Signal: Sendable, Hashable {
        public let number: Int32
        /// Made by the kernel, as by a key of the terminal, and not sent by a process.
        public let isFromKernel: Bool
    }

    /// Readable while a signal waits; owned by this object.
    public let descriptor: FileDescriptor

    /// Blocks every signal for this process from now on.
    public init() throws(SystemError) {
        descriptor = FileDescriptor(rawValue: try systemCall("signalfd", on: "all signals") { CLinux_all_signals() })
    }

    deinit { Glibc.close(descriptor.rawValue) }

    /// The next one that waits; nil if none does.
    public func take() -> Signal? {
        var signal = CLinux_signal()
        return CLinux_take_signal(descriptor.rawValue, &signal) == 0
            ? Signal(number: signal.number, isFromKernel: signal.is_from_kernel != 0) : nil
    }
}
