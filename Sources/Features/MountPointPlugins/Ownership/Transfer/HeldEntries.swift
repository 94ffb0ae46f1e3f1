// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Synchronization

/// The files that transfers hold between a look at them and the change of their owner, so that none is looked up twice: at most as many at
/// a time as leave the process half of its descriptors.
final class HeldEntries: Sendable {
    /// A file, held as long as this is there.
    final class Entry: Sendable {
        let pinned: PinnedEntry
        private let entries: HeldEntries

        fileprivate init(_ pinned: consuming PinnedEntry, _ entries: HeldEntries) {
            self.pinned = pinned
            self.entries = entries
        }

        deinit { entries.left.withLock { $0 += 1 } }
    }

    private let left: Mutex<Int>

    init() {
        var limit = 0
        if let usage = try? ProcessUsage() { limit = usage.descriptorLimit / 2 }
        left = Mutex(limit)
    }

    /// - Returns: nil if too many are held already; then it is let go.
    func hold(_ pinned: consuming PinnedEntry) -> Entry? {
        let isFree = left.withLock { left in
            guard left > 0 else { return false }
            left -= 1
            return true
        }
        return isFree ? Entry(pinned, self) : nil
    }
}
