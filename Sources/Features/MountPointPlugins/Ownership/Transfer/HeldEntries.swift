// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Synchronization

/// The files that transfers hold between a look at them and the change of their owner, so that none is looked up twice: at most as many at
/// a time as leave the process half of its descriptors.
final class HeldEntries: Sendable {
    /// A file, held as long as this is there.
    final class Entry: Sendable {
        let pinned: PinnedEntry
        private let grant: Grant

        fileprivate init(_ pinned: consuming PinnedEntry, _ grant: Grant) {
            self.pinned = pinned
            self.grant = grant
        }
    }

    /// So many may be held, until the last file of them is let go.
    fileprivate final class Grant: Sendable {
        private let entries: HeldEntries
        private let count: Int

        init(_ count: Int, of entries: HeldEntries) { (self.entries, self.count) = (entries, count) }

        deinit { entries.left.withLock { $0 += count } }
    }

    /// What one thread may hold: threads that counted together would wait for one another at each file.
    struct Share {
        private let grant: Grant
        private var left: Int

        fileprivate init(_ count: Int, of entries: HeldEntries) { (grant, left) = (Grant(count, of: entries), count) }

        /// - Returns: nil if it holds all that it may; then the file is let go.
        mutating func hold(_ pinned: consuming PinnedEntry) -> Entry? {
            guard left > 0 else { return nil }
            left -= 1
            return Entry(pinned, grant)
        }
    }

    private let left: Mutex<Int>

    init() {
        var limit = 0
        if let usage = try? ProcessUsage() { limit = usage.descriptorLimit / 2 }
        left = Mutex(limit)
    }

    /// - Parameter count: how many are wanted; there may be less.
    func share(of count: Int) -> Share {
        let granted = left.withLock { left in
            let granted = min(count, left)
            left -= granted
            return granted
        }
        return Share(granted, of: self)
    }
}
