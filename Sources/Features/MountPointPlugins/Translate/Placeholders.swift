// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths
import LinuxSystem
import SystemPackage

/// The empty folders that an engine makes for a source that is not on this host.
enum Placeholders {
    /// - Parameters:
    ///   - path: the source as the engine was told.
    ///   - prefix: the path of a rule; nothing above it is one.
    ///   - container: the engine's folder of the container. What was there before it, or is of unknown age, is somebody's.
    ///   - root: the number on the host of the containers' root, for whom an engine makes them where users are remapped.
    /// - Returns: from the inside out; nothing is in them but folders of the same kind, as for other mounts of the container.
    static func folders(of path: String, upTo prefix: String, madeAfter container: FilePath?, root: UInt32) -> [String] {
        guard let container, let began = try? birthTime(of: container) else { return [] }
        var names = LexicalPath.components(of: path)
        let last = max(1, LexicalPath.components(of: prefix).count)
        var found: [String] = []
        var left = mostLooked
        while names.count >= last {
            let folder = FilePath("/" + names.joined(separator: "/"))
            guard isPlaceholder(folder, began, root, &left, mayHaveOthers: !found.isEmpty) else { break }
            found.append(folder.string)
            names.removeLast()
        }
        return found
    }

    /// Folders that are looked at; there are few for a mount.
    private static let mostLooked = 200

    private static func isPlaceholder(
        _ folder: FilePath, _ began: (seconds: Int64, nanoseconds: UInt32), _ root: UInt32, _ left: inout Int, mayHaveOthers: Bool
    ) -> Bool {
        left -= 1
        guard left > 0, let made = try? birthTime(of: folder), began <= made, let owner = try? owner(of: folder),
            owner == 0 || owner == root, let names = try? namesInFolder(folder), names.isEmpty || mayHaveOthers
        else { return false }
        return names.allSatisfy { isPlaceholder(folder.appending($0), began, root, &left, mayHaveOthers: true) }
    }

    /// One with something in it stays, and so does what is above it.
    static func remove(_ folders: [String]) {
        for folder in folders {
            guard (try? removeEmptyFolder(FilePath(folder))) != nil else { return }
        }
    }
}
