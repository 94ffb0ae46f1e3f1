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
    /// - Returns: from the inside out; all of them empty but for one another, and of root.
    static func folders(of path: String, upTo prefix: String, madeAfter container: FilePath?, root: UInt32) -> [String] {
        guard let container, let began = try? birthTime(of: container) else { return [] }
        var names = LexicalPath.components(of: path)
        let last = max(1, LexicalPath.components(of: prefix).count)
        var found: [String] = []
        while names.count >= last {
            let folder = FilePath("/" + names.joined(separator: "/"))
            let inside = found.isEmpty ? 0 : 1
            guard let made = try? birthTime(of: folder), began <= made, let owner = try? owner(of: folder),
                owner == 0 || owner == root,
                (try? namesInFolder(folder))?.count == inside
            else { break }
            found.append(folder.string)
            names.removeLast()
        }
        return found
    }

    /// One with something in it stays, and so does what is above it.
    static func remove(_ folders: [String]) {
        for folder in folders {
            guard (try? removeEmptyFolder(FilePath(folder))) != nil else { return }
        }
    }
}
