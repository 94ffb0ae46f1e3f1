// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// A path below some folder, of names of any bytes; none of them for the folder itself.
struct EntryPath: Sendable, Hashable, Comparable {
    var names: [EntryName]

    init(_ names: [EntryName] = []) { self.names = names }

    /// - Parameter text: names with slashes between them; `.` and what is empty are passed over.
    /// - Returns: nil if `..` is in it, or a zero.
    init?(bytes text: some Sequence<UInt8>) {
        names = []
        for part in Array(text).split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
            guard let name = EntryName(bytes: part) else { return nil }
            names.append(name)
        }
    }

    init?(_ text: String) { self.init(bytes: text.utf8) }

    func appending(_ name: EntryName) -> EntryPath { EntryPath(names + [name]) }

    var bytes: [UInt8] { Array(names.map(\.bytes).joined(separator: [UInt8(ascii: "/")])) }

    /// For people: what is not UTF-8 is replaced.
    var text: String { names.isEmpty ? "." : names.map(\.text).joined(separator: "/") }

    func isSame(orAbove other: EntryPath) -> Bool { other.names.starts(with: names) }

    static func < (one: EntryPath, other: EntryPath) -> Bool { one.names.lexicographicallyPrecedes(other.names) }
}

extension EntryPath {
    /// The folder that has it, and its name there; nil for the folder itself.
    var parted: (folder: EntryPath, name: EntryName)? { names.last.map { (EntryPath(Array(names.dropLast())), $0) } }
}

extension OpenFolder {
    /// A folder below, no link on the way followed.
    ///
    /// - Throws: `SystemError`; `ENOENT` or `ENOTDIR` if there is none.
    func folder(at path: EntryPath) throws(SystemError) -> OpenFolder {
        var folder = self
        for name in path.names { folder = try OpenFolder(name, in: folder) }
        return folder
    }

    /// Nil if there is none.
    func folderIfThere(_ name: EntryName) throws(SystemError) -> OpenFolder? {
        do throws(SystemError) { return try OpenFolder(name, in: self) } catch {
            if error.isMissing { return nil }
            throw error
        }
    }

    /// Nil if something on the way is no folder, or it is not there.
    func statusIfThere(at path: EntryPath) throws(SystemError) -> EntryStatus? {
        guard let (parent, name) = path.parted else { return try status() }
        do throws(SystemError) { return try folder(at: parent).statusIfThere(of: name) } catch {
            if error.isMissing { return nil }
            throw error
        }
    }
}

/// How a visit of a tree goes on.
enum TreeVisit {
    /// With what is in this folder, and then the next.
    case enter
    /// With the next.
    case skip
    /// Not at all.
    case end
}

extension OpenFolder {
    /// Visits all that is below, a folder before what is in it. What is mounted below is passed over, and so is what is gone by then.
    ///
    /// - Parameter body: gets the folder, a name in it, what that is, and its path from here.
    func visit(
        _ body: (OpenFolder, EntryName, EntryStatus, EntryPath) throws(SystemError) -> TreeVisit
    ) throws(SystemError) {
        var levels = [(folder: self, path: EntryPath(), names: try names())]
        while let level = levels.last {
            guard let name = level.names.last else {
                levels.removeLast()
                continue
            }
            levels[levels.count - 1].names.removeLast()
            guard let status = try level.folder.statusIfThere(of: name), !status.isMountRoot else { continue }
            let path = level.path.appending(name)
            switch try body(level.folder, name, status, path) {
            case .end: return
            case .skip: continue
            case .enter:
                guard status.kind == .folder, let folder = try level.folder.folderIfThere(name) else { continue }
                levels.append((folder, path, try folder.names()))
            }
        }
    }
}

extension SystemError {
    /// There is nothing of that name, or what is above it is no folder.
    var isMissing: Bool { [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels].contains(errno) }
}
