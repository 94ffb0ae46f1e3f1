// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// Sees when a forked process and all that it has made in turn have ended, those too that outlive it: they hold one end of a pipe,
/// which none of them uses. pipe(7)
///
/// Make it before fork(2), and call ``watch()`` in the parent. Programs that are executed do not count.
public struct LastProcess: ~Copyable {
    private let reading: CInt
    private var writing: CInt

    /// - Throws: `SystemError` of pipe(2).
    public init() throws(SystemError) { (reading, writing) = try makePipe() }

    deinit {
        close(reading)
        if writing >= 0 { close(writing) }
    }

    /// This process is none of them.
    public mutating func watch() {
        if writing >= 0 { close(writing) }
        writing = -1
    }

    /// Blocks until the last one has ended, or the deadline has passed; with nil, without a limit.
    ///
    /// - Returns: whether they have ended.
    public func wait(until deadline: Deadline?) -> Bool {
        Poll.wait(for: reading, until: deadline)
    }
}
