// SPDX-License-Identifier: AGPL-3.0-or-later

import Synchronization

/// What is remembered of the share's catalogue between two looks at it.
struct CatalogueMemory: Sendable {
    /// Counts this host's own changes of the catalogue, and says at which one each volume was changed: a look that began before
    /// a change knows nothing of it.
    var changes = 0
    var changedAt: [VolumeName: Int] = [:]
    /// The last reading; its definitions only as long as not all of it is taken in.
    var reading: ShareCatalogue.Reading?
    /// What ``changes`` was when that reading began.
    var readAt = 0
    /// Whether its stamp was seen twice: in between, file systems can make two changes at one time stamp.
    var isConfirmed = false
    var isSettled = true
    /// What each share's catalogue is known by.
    var identities: [Share: String] = [:]
    /// Volumes that this host has marked as used, and whether it is known that the mark stands.
    var marked: [Share: [VolumeName: Bool]] = [:]
    /// The shares of which the marks that an earlier run left are among them.
    var knowsOldMarks: Set<Share> = []
    /// Whether there was a look that succeeded.
    var isRead = false
    /// Why the last access failed.
    var trouble: [Share: String] = [:]
    /// Not before this are shares tried again that are not the setting's.
    var nextTryOfOthers: ContinuousClock.Instant?

    mutating func changed(_ name: VolumeName) {
        changes += 1
        changedAt[name] = changes
    }

    func isMarked(_ name: VolumeName) -> Bool { marked.values.contains { $0[name] != nil } }
}
