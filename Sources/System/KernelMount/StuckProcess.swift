// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// A killed process that the kernel still holds in a call on a mount point.
public struct StuckProcess: Sendable {
    private let sequence: StuckSequence
    init(_ sequence: StuckSequence) { self.sequence = sequence }
    public var process: Int32 { sequence.process }
    public var call: String { sequence.call }
    /// For a person: why what it works on cannot be used.
    public var reason: String {
        "process \(process), killed, is still held by the kernel in \(call); when the server answers again, it ends"
    }
    /// Blocks without limit; only for a thread kept for it.
    public func waitUntilGone() { sequence.waitUntilGone() }
}
