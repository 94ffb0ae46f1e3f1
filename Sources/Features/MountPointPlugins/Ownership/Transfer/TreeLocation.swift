// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths
import LinuxSystem
import SystemPackage

/// Where a tree is in its file system, whatever mount it was reached through.
struct TreeLocation: Sendable, Equatable {
    /// Of the file system, as mountinfo has it.
    var device: String
    /// From the file system's root.
    var path: String

    enum Relation: Sendable, Equatable {
        case apart, same
        /// It is a part of the other.
        case inside
        /// The other is a part of it.
        case around
    }

    init(device: String, path: String) {
        self.device = device
        self.path = path
    }

    /// - Parameter place: absolute, and without links.
    init(of file: PinnedFile, at place: String) throws(SystemError) {
        let mount = try file.mountID()
        guard let entry = try MountTable().entries.first(where: { $0.mountID == mount }) else {
            throw SystemError("find", .noSuchFileOrDirectory, on: place, hint: "it is on no mount of this process")
        }
        let below = LexicalPath.components(of: place).dropFirst(LexicalPath.components(of: entry.mountPoint).count)
        self.init(device: entry.device, path: LexicalPath.absolute(([entry.root] + below).joined(separator: "/")))
    }

    func relation(to other: TreeLocation) -> Relation {
        guard device.hasSameBytes(as: other.device) else { return .apart }
        if path.hasSameBytes(as: other.path) { return .same }
        if LexicalPath.isSame(other.path, orAbove: path) { return .inside }
        return LexicalPath.isSame(path, orAbove: other.path) ? .around : .apart
    }
}
