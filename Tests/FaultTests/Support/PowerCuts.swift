// SPDX-License-Identifier: AGPL-3.0-or-later

import VolumeWorkload

/// The moments at which the power can be cut, by a log of what was written.
struct PowerCuts {
    struct Moment {
        /// What was marked before.
        var marks: [String]
        /// What can be on the disk: all that was written so far, and before a flush also without some of what no flush has made last.
        var disks: [[UInt8]]
    }

    private let log: WriteLog
    private var random: SeededNumbers
    private var next = 0
    private var disk: [UInt8]
    /// The disk as the last flush has made it last.
    private var flushed: [UInt8]
    private var sinceFlush: [WriteLog.Entry] = []
    private var marks: [String] = []
    private var isNew = false

    init(_ log: WriteLog, on disk: [UInt8], _ random: SeededNumbers) {
        (self.log, self.disk, flushed, self.random) = (log, disk, disk, random)
    }

    /// Goes on to the next moment: what was marked by then has been written by then.
    ///
    /// - Parameter skipped: how many moments are passed over.
    /// - Returns: nil at the end.
    mutating func advance(skipping skipped: Int = 0) throws -> Moment? {
        var skipped = skipped
        while next < log.entries.count {
            let entry = log.entries[next]
            if isNew, entry.isFlush || entry.changesSomething {
                isNew = false
                skipped -= 1
                if skipped < 0 { return Moment(marks: marks, disks: entry.isFlush ? [disk] + (try withLosses()) : [disk]) }
            }
            next += 1
            if let mark = entry.mark {
                marks.append(mark)
                isNew = true
                continue
            }
            if entry.isFlush { (flushed, sinceFlush) = (disk, []) }
            if entry.changesSomething {
                try log.apply(entry, to: &disk)
                sinceFlush.append(entry)
                isNew = true
            }
        }
        if !isNew { return nil }
        isNew = false
        return Moment(marks: marks, disks: [disk])
    }

    /// The disk without some of what it may have kept in its own memory.
    private mutating func withLosses() throws -> [[UInt8]] {
        let kept = sinceFlush.filter { entry in entry.isForced || Bool.random(using: &random) }
        if kept.count == sinceFlush.count { return [] }
        var disk = flushed
        for entry in kept { try log.apply(entry, to: &disk) }
        return [disk]
    }
}
