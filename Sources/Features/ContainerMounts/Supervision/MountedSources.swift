// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths
import LinuxSystem
import OCIRuntime
import SystemPackage

/// Compares the mounts of a container with the pinned sources, by the file system of each mount and the part of it that is mounted, as the
/// kernel reports them. Paths in the container are not compared: a later mount can cover one, and links of the image can redirect it.
enum MountedSources {
    struct Expected {
        let path: String
        let destination: String
        /// The part as mountinfo shows it; nil if there was nothing to mount.
        let part: Part?
        /// The destination with links of the image resolved; nil if that is not known.
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
    ///   - table: the mount table of the sources' namespace.
    ///   - place: resolves a destination in the container.
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
        // If the destination is not itself a mount point, the mount's place does not help.
        return LexicalPath.areSame(mount.mountPoint, path) ? path : nil
    }

    /// The first mount that is missing in the container, or that is at the place of another one.
    static func firstMissing(of expected: [Expected], in table: MountTable) -> Expected? {
        var left = table.entries
        var taken: [MountTableEntry] = []
        for one in expected {
            let found = left.firstIndex { entry in
                guard let part = one.part, Part(device: entry.device, root: entry.root) == part else { return false }
                if one.isMeant(at: entry.mountPoint) { return true }
                // If links of the image cannot be resolved, any place counts that belongs to no other mount.
                return one.place == nil && !expected.contains { $0.isMeant(at: entry.mountPoint) }
            }
            guard let found else { return one }
            let entry = left.remove(at: found)
            // The container sees the last of several mounts at one place.
            if taken.contains(where: { LexicalPath.areSame($0.mountPoint, entry.mountPoint) && covers($0, entry, table) }) { return one }
            taken.append(entry)
        }
        return nil
    }

    /// Whether a mount is mounted on another one, or on what is mounted there.
    private static func covers(_ upper: MountTableEntry, _ lower: MountTableEntry, _ table: MountTable) -> Bool {
        var mount = upper
        // The loop is bounded, since a table that is read while mounts are moved could contain a circle.
        for _ in table.entries {
            if mount.parentID == lower.mountID { return true }
            guard let next = table.entries.first(where: { $0.mountID == mount.parentID }) else { return false }
            mount = next
        }
        return false
    }
}
