// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths
import LinuxSystem
import OCIRuntime
import SystemPackage

/// Compares the mounts of a container with the sources that were meant, by what the kernel says of each mount: its file system, and the
/// part of it that is mounted. What a path in the container leads to says less: a later mount can cover it, and a link of the image can
/// lead elsewhere.
enum MountedSources {
    struct Expected {
        let path: String
        let destination: String
        /// As mountinfo has them; nil if there was nothing to mount.
        let part: Part?
        /// Where the destination is in the container, once links of the image have been followed; nil if that cannot be told.
        var place: String?

        func isMeant(at mountPoint: String) -> Bool {
            LexicalPath.areSame(mountPoint, destination) || place.map { LexicalPath.areSame(mountPoint, $0) } == true
        }
    }

    /// A part of a file system, as mountinfo has it.
    struct Part: Equatable {
        let device: String
        let root: String

        static func == (one: Part, other: Part) -> Bool {
            one.device == other.device && LexicalPath.areSame(one.root, other.root)
        }
    }

    /// - Parameters:
    ///   - table: of the namespace in which the sources are.
    ///   - place: where a destination is in the container.
    static func expected(
        _ sources: [Int: PinnedSources.Source], mounts: [OCIConfiguration.Mount], table: MountTable,
        place: (String) -> String? = { _ in nil }
    ) throws(SystemError) -> [Expected] {
        var expected: [Expected] = []
        for (index, source) in sources.sorted(by: { $0.key < $1.key }) {
            let destination = mounts[index].cleanedDestination
            expected.append(
                Expected(
                    path: source.path, destination: destination,
                    part: try source.file.flatMap { (file) throws(SystemError) in try part(file, table) }, place: place(destination)))
        }
        return expected
    }

    private static func part(_ file: PinnedFile, _ table: MountTable) throws(SystemError) -> Part? {
        let id = try file.mountID()
        let path: String
        do throws(SystemError) {
            path = try file.path()
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        }
        guard let mount = table.entries.first(where: { $0.mountID == id }), LexicalPath.isSame(mount.mountPoint, orAbove: path) else {
            return nil
        }
        let above = mount.mountPoint.utf8.count == 1 ? 0 : mount.mountPoint.utf8.count
        let below = String(decoding: path.utf8.dropFirst(above), as: UTF8.self)
        return Part(device: mount.device, root: LexicalPath.absolute(mount.root + "/" + below))
    }

    /// Where a destination is in a container, if something is mounted there.
    ///
    /// - Parameters:
    ///   - root: the container's.
    ///   - table: of its namespace.
    /// - Returns: nil if the destination leads to something else by now, for instance because a later mount covers a folder above it, or
    ///   if the kernel cannot look it up.
    static func place(of destination: String, in root: PinnedFile, _ table: MountTable) -> String? {
        guard let file = try? PinnedFile(at: destination, inRoot: root), let id = try? file.mountID(), let path = try? file.path(),
            let mount = table.entries.first(where: { $0.mountID == id })
        else { return nil }
        // Of a file that is only on a mount, the mount's place says nothing.
        return LexicalPath.areSame(mount.mountPoint, path) ? path : nil
    }

    /// The first one that is not in the container, or that is where another one ought to be.
    static func firstMissing(of expected: [Expected], in table: MountTable) -> Expected? {
        var left = table.entries
        var taken: [MountTableEntry] = []
        for one in expected {
            let found = left.firstIndex { entry in
                guard let part = one.part, Part(device: entry.device, root: entry.root) == part else { return false }
                if one.isMeant(at: entry.mountPoint) { return true }
                // Where links of the image lead may not be known. But no mount may be at the place of another one.
                return one.place == nil && !expected.contains { $0.isMeant(at: entry.mountPoint) }
            }
            guard let found else { return one }
            let entry = left.remove(at: found)
            // Of several at one place, the container sees the last.
            if taken.contains(where: { LexicalPath.areSame($0.mountPoint, entry.mountPoint) && covers($0, entry, table) }) { return one }
            taken.append(entry)
        }
        return nil
    }

    /// Whether a mount is mounted on another one, or on what is mounted there.
    private static func covers(_ upper: MountTableEntry, _ lower: MountTableEntry, _ table: MountTable) -> Bool {
        var mount = upper
        // A table that is read while mounts are moved could have a circle in it.
        for _ in table.entries {
            if mount.parentID == lower.mountID { return true }
            guard let next = table.entries.first(where: { $0.mountID == mount.parentID }) else { return false }
            mount = next
        }
        return false
    }
}
