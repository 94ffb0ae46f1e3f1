// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem

/// How the owner of files becomes the container's user.
enum OwnershipMode: String, Sendable, CaseIterable {
    /// By an id-mapped mount where the file system can do it, and by ``transfer`` elsewhere.
    case auto
    /// By an id-mapped mount.
    case map
    /// The files belong to the container's user while it runs.
    case transfer
    /// Nothing at the start; what the container made belongs to the source's owner at the end.
    case giveBack = "give-back"

    static let words = allCases.map(\.rawValue).joined(separator: "|")
}

/// What a label or a rule asks for: words with commas between them.
struct OwnershipOptions: Sendable, Equatable {
    /// Whom the source's owner appears as.
    enum Match: Sendable, Equatable {
        /// The user that the container runs as.
        case containersUser
        case ids(user: UInt32, group: UInt32)
        /// As the container's own files have it, and whose first group is taken if none is named.
        case named(user: String, group: String?)
    }

    /// Nil if ranges are named.
    var match: Match?
    /// Ids on the file system and what they appear as in the container.
    var users: [IDRange] = []
    var groups: [IDRange] = []
    /// Whether ids that nothing was said of stay what they are; otherwise they belong to nobody.
    var keepsOthers = true
    /// Nil for the instance's.
    var mode: OwnershipMode?

    static let help =
        "match-user, match-user:USER[:GROUP], [uid:|gid:]FROM[-TO]=ID, others=keep|nobody, mode=\(OwnershipMode.words); by default match-user"

    /// - Throws: `PluginError` for a word that is not known.
    init(_ text: String) throws(PluginError) {
        for word in text.split(separator: ",", omittingEmptySubsequences: true) { try read(word) }
        if match != nil && !(users.isEmpty && groups.isEmpty) {
            throw PluginError("match-user and ranges exclude each other; give one of them")
        }
        if match == nil && users.isEmpty && groups.isEmpty { match = .containersUser }
        if !keepsOthers {
            // Only a map can make files belong to nobody.
            guard mode ?? .map == .map else { throw PluginError("others=nobody needs mode=map") }
            mode = .map
        }
        _ = try (OwnershipMap(users), OwnershipMap(groups))
    }

    private mutating func read(_ word: Substring) throws(PluginError) {
        switch word {
        case "match-user": match = .containersUser
        case "others=keep": keepsOthers = true
        case "others=nobody": keepsOthers = false
        case _ where word.hasPrefix("mode="):
            guard let mode = OwnershipMode(rawValue: String(word.dropFirst("mode=".count))) else {
                throw PluginError(
                    "\(word) is not known; there are \(OwnershipMode.allCases.map { "mode=\($0.rawValue)" }.joined(separator: ", "))")
            }
            self.mode = mode
        case _ where word.hasPrefix("match-user:"):
            match = try Self.match(word.dropFirst("match-user:".count), word)
        case _ where word.hasPrefix("uid:"): users.append(try Self.range(word.dropFirst(4), word))
        case _ where word.hasPrefix("gid:"): groups.append(try Self.range(word.dropFirst(4), word))
        case _ where word.utf8.first.map { (0x30...0x39).contains($0) } ?? false:
            let range = try Self.range(word, word)
            users.append(range)
            groups.append(range)
        default: throw PluginError("\(word) is not known; there are \(Self.help)")
        }
    }

    /// `USER` or `USER:GROUP`, each a number or a name.
    private static func match(_ text: Substring, _ word: Substring) throws(PluginError) -> Match {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ id($0) != nil || isName($0) }) else {
            throw PluginError("\(word): give the user as UID, UID:GID, NAME or NAME:GROUP")
        }
        if let user = id(parts[0]), let group = id(parts[parts.count - 1]) { return .ids(user: user, group: group) }
        return .named(user: String(parts[0]), group: parts.count == 2 ? String(parts[1]) : nil)
    }

    /// useradd(8)
    private static func isName(_ text: Substring) -> Bool {
        guard let first = text.unicodeScalars.first, text.utf8.count <= 256, !("0"..."9").contains(first), first != "-" else {
            return false
        }
        return text.unicodeScalars.allSatisfy {
            ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0) || "._-$".unicodeScalars.contains($0)
        }
    }

    /// `FROM=ID` or `FROM-TO=ID`.
    private static func range(_ text: Substring, _ word: Substring) throws(PluginError) -> IDRange {
        let sides = text.split(separator: "=", omittingEmptySubsequences: false)
        let ends = sides.first?.split(separator: "-", omittingEmptySubsequences: false).map(id) ?? []
        guard sides.count == 2, (1...2).contains(ends.count), let target = id(sides[1]), let first = ends[0],
            let last = ends.count == 2 ? ends[1] : first, last >= first
        else { throw PluginError("\(word): a range is FROM=ID or FROM-TO=ID, with numbers from 0 to 4294967294") }
        return IDRange(inside: first, outside: target, count: last - first + 1)
    }

    static func id(_ text: Substring) -> UInt32? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let id = UInt32(text), id < .max else { return nil }
        return id
    }
}

extension OwnershipOptions {
    /// The ids on the file system and what they appear as on the host.
    ///
    /// - Parameters:
    ///   - owner: of the source.
    ///   - container: whose own ids are those of the options, and of its user.
    /// - Throws: `PluginError` if the container's user is not known, or an id is not one of the container's.
    func maps(owner: FileOwner, _ container: ContainerDescription) throws(PluginError) -> (
        users: OwnershipMap, groups: OwnershipMap
    ) {
        var (users, groups) = (users, groups)
        if let match {
            let ids: (user: UInt32, group: UInt32)
            switch match {
            case .ids(let user, let group): ids = (user, group)
            case .named(let user, let group): ids = try Self.ids(of: user, group, in: container)
            case .containersUser:
                guard let user = container.user else {
                    throw PluginError("which user the container runs as is not known; say it by match-user:UID:GID")
                }
                ids = (user.uid, user.gid)
            }
            users = [IDRange(inside: owner.user, outside: ids.user, count: 1)]
            groups = [IDRange(inside: owner.group, outside: ids.group, count: 1)]
        }
        return (
            try OwnershipMap(Self.onHost(users, container.uidMappings)), try OwnershipMap(Self.onHost(groups, container.gidMappings))
        )
    }

    private static func ids(
        of user: String, _ group: String?, in container: ContainerDescription
    ) throws(PluginError) -> (user: UInt32, group: UInt32) {
        let names = try ContainerUsers(of: container)
        // One of both may be a number.
        let found: (user: UInt32, group: UInt32) = if let id = id(user[...]) { (id, id) } else { try names.user(user) }
        guard let group else { return found }
        if let id = id(group[...]) { return (found.user, id) }
        return (found.user, try names.group(group))
    }

    private static func onHost(
        _ ranges: [IDRange], _ mappings: [ContainerDescription.IDMapping]
    ) throws(PluginError) -> [IDRange] {
        try ranges.map { (range) throws(PluginError) in
            IDRange(
                inside: range.inside, outside: try mappings.hostID(of: range.outside, count: range.count), count: range.count)
        }
    }
}
