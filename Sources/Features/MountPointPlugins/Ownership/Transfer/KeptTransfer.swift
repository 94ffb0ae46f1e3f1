// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem

/// A tree that containers have together, as its file has it: it goes back to its owner when the last of them is gone.
struct KeptTransfer: Sendable, Equatable {
    /// A mount of a container.
    struct Holder: Sendable, Equatable {
        /// `CONTAINER.N`, N the mount's number.
        var key: String
        /// Of the container.
        var id: String
        var name: String
    }

    /// As the container's mount had it; for people.
    var source: String
    /// Absolute, and without links.
    var place: String
    var location: TreeLocation
    var inode: UInt64
    var isFolder: Bool
    /// Of the root.
    var owner: FileOwner
    var ranges: IDRanges
    /// Whether files get their new owner at the start, so that there is a journal; if not, only what is changed after `since` goes to the
    /// owner.
    var isGiven: Bool
    /// When it began.
    var since: EntryStatus.Time
    /// The boot in which it began.
    var boot: String
    /// The inodes of folders below it that are transfers of their own.
    var excluded: [UInt64]
    /// Whether all files have their new owner.
    var isComplete = false
    /// Whether it is on the way back to its owner; then the last holder is still named, so that it can be tried again.
    var isReturning = false
    var holders: [Holder]
}

extension KeptTransfer {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        source = try object.requiredText("source")
        place = try object.requiredText("place")
        location = TreeLocation(device: try object.text("device"), path: try object.text("path"))
        inode = try object.number("inode")
        isFolder = try object.flag("folder")
        owner = FileOwner(user: try object.number("user"), group: try object.number("group"))
        ranges = IDRanges(.object(object.members))
        isGiven = try object.flag("given")
        since = EntryStatus.Time(seconds: try object.number("seconds"), nanoseconds: try object.number("nanoseconds"))
        boot = try object.text("boot")
        excluded = try object.numbers("excluded")
        isComplete = try object.flag("complete")
        isReturning = try object.flag("returning")
        holders = try object.list("holders") { (holder) throws(JSONShapeError) in
            Holder(key: try holder.requiredText("key"), id: try holder.requiredText("id"), name: try holder.text("name"))
        }
    }

    var json: JSONValue {
        [
            "version": 1, "source": .string(source), "place": .string(place), "device": .string(location.device),
            "path": .string(location.path), "inode": JSONValue(inode), "folder": .bool(isFolder), "user": JSONValue(owner.user),
            "group": JSONValue(owner.group), "users": ranges.users.json, "groups": ranges.groups.json, "given": .bool(isGiven),
            "seconds": JSONValue(since.seconds), "nanoseconds": JSONValue(since.nanoseconds), "boot": .string(boot),
            "excluded": .array(excluded.map { JSONValue($0) }), "complete": .bool(isComplete),
            "returning": .bool(isReturning),
            "holders": .array(holders.map { ["key": .string($0.key), "id": .string($0.id), "name": .string($0.name)] }),
        ]
    }
}
