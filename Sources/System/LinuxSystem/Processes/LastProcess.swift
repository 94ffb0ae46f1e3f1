// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// Reports when a forked process and all its descendants have ended, also those that outlive it: they hold one end of a pipe that none
/// of them uses. pipe(7)
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

    /// Closes this process's own end, so that only the others hold the pipe.
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
