// SPDX-License-Identifier: AGPL-3.0-or-later

import Volumes

/// What is remembered of the share's catalogue between two looks at it.
struct CatalogueMemory: Sendable {
    /// How many changes of the catalogue this host has made itself in this run.
    private(set) var changes = 0
    /// The number of the last such change of each volume. A look that began before a change does not show it.
    var changedAt: [VolumeName: Int] = [:]
    /// The last reading; its definitions only as long as not all of it has been adopted.
    var reading: CatalogueDefinitions.Reading?
    /// What ``changes`` was when that reading began.
    var readAt = 0
    /// Whether its stamp was seen twice. A stamp that was seen once can hide a change, because file systems can make two changes within
    /// one time stamp.
    var isConfirmed = false
    /// Whether all of the last reading has been adopted.
    var isSettled = true
    /// Definitions that this host writes: how many were begun in this run, and how many are under way.
    var creations = (begun: 0, running: 0)
    /// Why the last access failed, by the share's text.
    var trouble: [String: String] = [:]
    /// The earliest time at which shares other than the configured one are tried again.
    var nextTryOfOthers: ContinuousClock.Instant?

    /// Notes that this host itself has changed a volume.
    mutating func changed(_ name: VolumeName) {
        changes += 1
        changedAt[name] = changes
    }
}
