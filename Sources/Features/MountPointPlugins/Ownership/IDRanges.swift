// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem

/// Which ids of files become which: ``IDRange/inside`` is the id on the file system, ``IDRange/outside`` what it becomes.
struct IDRanges: Sendable, Equatable {
    var users: [IDRange]
    var groups: [IDRange]

    init(users: [IDRange], groups: [IDRange]) {
        self.users = users
        self.groups = groups
    }

    init(_ record: JSONValue) { self.init(users: [IDRange](record["users"]), groups: [IDRange](record["groups"])) }

    /// Without those that change nothing.
    var changing: IDRanges {
        IDRanges(users: users.filter { $0.inside != $0.outside }, groups: groups.filter { $0.inside != $0.outside })
    }

    var isEmpty: Bool { users.isEmpty && groups.isEmpty }

    /// Whose a file becomes.
    func given(_ owner: FileOwner) -> FileOwner {
        FileOwner(user: users.outside(of: owner.user) ?? owner.user, group: groups.outside(of: owner.group) ?? owner.group)
    }

    /// Whose a file becomes that belongs to one of the new owners.
    func returned(_ owner: FileOwner) -> FileOwner {
        FileOwner(user: users.inside(of: owner.user) ?? owner.user, group: groups.inside(of: owner.group) ?? owner.group)
    }
}

/// The user and the group to whom a file belongs.
struct FileOwner: Sendable, Equatable, CustomStringConvertible {
    var user: UInt32
    var group: UInt32

    var description: String { "\(user):\(group)" }
}

extension [IDRange] {
    func outside(of id: UInt32) -> UInt32? {
        first { id >= $0.inside && id - $0.inside < $0.count }.map { $0.outside &+ (id - $0.inside) }
    }

    func inside(of id: UInt32) -> UInt32? {
        first { id >= $0.outside && id - $0.outside < $0.count }.map { $0.inside &+ (id - $0.outside) }
    }

    /// Lists of three numbers.
    var json: JSONValue {
        .array(map { .array([JSONValue($0.inside), JSONValue($0.outside), JSONValue($0.count)]) })
    }

    init(_ json: JSONValue?) {
        self = (json?.arrayValue ?? []).compactMap { range in
            let numbers = (range.arrayValue ?? []).compactMap { $0.intValue.flatMap(UInt32.init(exactly:)) }
            return numbers.count == 3 ? IDRange(inside: numbers[0], outside: numbers[1], count: numbers[2]) : nil
        }
    }
}
