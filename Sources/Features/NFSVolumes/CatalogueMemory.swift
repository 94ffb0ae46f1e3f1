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
    /// What each share's catalogue is known by, by the share's text.
    var identities: [String: String] = [:]
    /// What this host has marked as used.
    var marks: [UseMark] = []
    /// The texts of shares of which the marks that an earlier run left are among them.
    var knowsOldMarks: Set<String> = []
    /// The texts of shares of which the marks were read once in this run.
    var hasReadMarks: Set<String> = []
    /// Removals by this host whose marks must stand as long as the volume is defined: some of its data may be gone. All others of
    /// this run have touched nothing.
    var begunRemovals: Set<RemovalOnShare> = []
    /// Definitions that are being written: how many were begun in this run, and how many are under way.
    var creations = (begun: 0, running: 0)
    /// Why the last access failed, by the share's text.
    var trouble: [String: String] = [:]
    /// Not before this are shares tried again that are not the setting's.
    var nextTryOfOthers: ContinuousClock.Instant?

    mutating func changed(_ name: VolumeName) {
        changes += 1
        changedAt[name] = changes
    }

    mutating func mark(_ name: VolumeName, of share: Share, stands: Bool) {
        unmark(name, of: share)
        marks.append(UseMark(name: name, share: share, stands: stands))
    }

    mutating func unmark(_ name: VolumeName, of share: Share) { marks.removeAll { $0.name == name && $0.share == share } }

    func mark(_ name: VolumeName, of share: Share) -> UseMark? { marks.first { $0.name == name && $0.share == share } }
}

struct RemovalOnShare: Hashable {
    let name: VolumeName
    /// The share's text.
    let share: String
}

/// That this host has told the others that it uses a volume.
struct UseMark: Sendable {
    let name: VolumeName
    let share: Share
    /// Whether it is known that the mark is there, and not only that it may be.
    let stands: Bool
}
