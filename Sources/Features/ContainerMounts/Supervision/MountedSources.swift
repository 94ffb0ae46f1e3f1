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
    }

    /// A part of a file system, as mountinfo has it.
    struct Part: Equatable {
        let device: String
        let root: String

        static func == (one: Part, other: Part) -> Bool {
            one.device == other.device && LexicalPath.areSame(one.root, other.root)
        }
    }

    /// - Parameter table: of the namespace in which the sources are.
    static func expected(
        _ sources: [Int: PinnedSources.Source], mounts: [OCIConfiguration.Mount], table: MountTable
    ) throws(SystemError) -> [Expected] {
        var expected: [Expected] = []
        for (index, source) in sources.sorted(by: { $0.key < $1.key }) {
            expected.append(
                Expected(
                    path: source.path, destination: mounts[index].cleanedDestination,
                    part: try source.file.flatMap { (file) throws(SystemError) in try part(file, table) }))
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

    /// The first one that is not in the container, or that is where another one ought to be.
    static func firstMissing(of expected: [Expected], in table: MountTable) -> Expected? {
        var left = table.entries
        for one in expected {
            let found = left.firstIndex { entry in
                guard let part = one.part, Part(device: entry.device, root: entry.root) == part else { return false }
                // Where links of the image lead is not known here. But no mount may be at the place of another one.
                return LexicalPath.areSame(entry.mountPoint, one.destination)
                    || !expected.contains { LexicalPath.areSame(entry.mountPoint, $0.destination) }
            }
            guard let found else { return one }
            left.remove(at: found)
        }
        return nil
    }
}
