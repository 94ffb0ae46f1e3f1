// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// A folder of a tree, by the names that lead to it. It is opened when it is its turn: a deep tree needs no descriptor for each level.
final class TreeFolder: Sendable {
    let above: TreeFolder?
    let name: EntryName?
    let inode: UInt64

    init(_ name: EntryName?, in above: TreeFolder?, inode: UInt64) {
        self.above = above
        self.name = name
        self.inode = inode
    }

    /// The same folder, for another thread.
    convenience init(copying other: TreeFolder) { self.init(other.name, in: other.above, inode: other.inode) }

    /// What comes before a name in it: bytes from the tree's root, with a slash at the end; empty for the root. Not kept: with deep
    /// folders it would be much.
    var prefix: [UInt8] { Array(path.map { $0.bytes + [UInt8(ascii: "/")] }.joined()) }

    /// From the tree's root.
    var path: [EntryName] {
        var names: [EntryName] = []
        var folder: TreeFolder? = self
        while let current = folder {
            if let name = current.name { names.append(name) }
            folder = current.above
        }
        return names.reversed()
    }
}

/// Something in a tree, as it was when it was looked at.
struct TreeEntry: Sendable {
    var folder: TreeFolder
    /// Nil for the tree's root, if that is a folder.
    var name: EntryName?
    var status: EntryStatus

    var owner: FileOwner { FileOwner(user: status.user, group: status.group) }

    /// Bytes from the tree's root; `.` for the root.
    var path: [UInt8] { path(below: folder.prefix) }

    /// The same, for who knows the folder's prefix.
    func path(below prefix: [UInt8]) -> [UInt8] { name.map { prefix + $0.bytes } ?? [UInt8(ascii: ".")] }
}

/// What is below the source of a mount, walked by descriptors: no symbolic link is followed, and nothing that is mounted below is entered.
/// Others may change it meanwhile.
final class Tree {
    /// What is the same for all threads that look at a tree.
    struct Place: Sendable {
        fileprivate let root: OpenFolder
        fileprivate let top: TreeFolder
        /// The name of a source that is no folder; then the root is the folder that it is in.
        fileprivate let single: EntryName?
        fileprivate let device: UInt64
        fileprivate let excluded: Set<UInt64>
        /// Whether a file is made anew below the surface when it is changed for the first time, as on an overlay.
        fileprivate let isOverlay: Bool
    }

    let place: Place
    private var root: OpenFolder { place.root }
    private var last: (folder: TreeFolder, opened: OpenFolder)?

    /// For another thread.
    init(at place: Place) { self.place = place }

    /// - Throws: `SystemError`; `ESTALE` if something else is in its place.
    init(_ transfer: KeptTransfer) throws(SystemError) {
        let path = FilePath(transfer.place)
        let root = try OpenFolder(at: transfer.isFolder ? path : path.removingLastComponent())
        let single = transfer.isFolder ? nil : EntryName(transfer.place.split(atByte: "/").last ?? "")
        let status: EntryStatus
        if let single { status = try root.status(of: single) } else { status = try root.status() }
        guard status.inode == transfer.inode, (status.kind == .folder) == transfer.isFolder else {
            throw SystemError("open", .staleNFSFileHandle, on: transfer.place, hint: "something else is in its place")
        }
        if single != nil && status.isMountRoot {
            throw SystemError("open", .improperLink, on: transfer.place, hint: "it is a mount itself")
        }
        let top = TreeFolder(nil, in: nil, inode: transfer.isFolder ? transfer.inode : try root.status().inode)
        place = Place(
            root: root, top: top, single: single, device: status.device, excluded: Set(transfer.excluded),
            isOverlay: try PinnedEntry(nil, in: root).isOnOverlay())
    }

    func birth(of status: EntryStatus) -> EntryStatus.Time? { place.birth(of: status) }

    /// - Returns: nil if it is not where it was any more.
    func open(_ folder: TreeFolder) throws(SystemError) -> OpenFolder? {
        if let last, last.folder === folder { return last.opened }
        let opened: OpenFolder
        do throws(SystemError) {
            opened = try openFolder(folder.path, below: root)
        } catch {
            if Place.isAbsence(error) { return nil }
            throw error
        }
        guard try opened.status().inode == folder.inode else { return nil }
        last = (folder, opened)
        return opened
    }

    /// Holds what an entry names, if it still is the same and has the same owner.
    ///
    /// - Returns: nil if not.
    func pin<Value>(
        _ entry: TreeEntry, _ body: (borrowing PinnedEntry) throws(SystemError) -> Value
    ) throws(SystemError) -> Value? {
        guard let folder = try open(entry.folder) else { return nil }
        do throws(SystemError) {
            let pinned = try PinnedEntry(entry.name, in: folder)
            let now = try pinned.status()
            guard now.inode == entry.status.inode, now.kind == entry.status.kind, birth(of: now) == birth(of: entry.status),
                now.user == entry.status.user, now.group == entry.status.group,
                now.kind == .folder || now.links == entry.status.links
            else { return nil }
            return try body(pinned)
        } catch {
            if error.call == "openat2" && Place.isAbsence(error) { return nil }
            throw error
        }
    }

    /// Looks at all that is in the tree, a folder before what is in it: at the entries of a folder by several threads, each of which has
    /// findings of its own. What is done for each entry by one thread costs more than all that the others spare.
    ///
    /// - Parameters:
    ///   - none: findings of nothing.
    ///   - examine: what is to be found out of each thing, or done with it.
    ///   - visit: gets the findings of a thread for a part of a folder.
    /// - Returns: whether nothing was moved away meanwhile, with what is below it.
    func walk<Findings: Sendable>(
        from none: Findings, examining examine: Examination<Findings>, _ visit: (Findings) throws(SystemError) -> Void
    ) throws(SystemError) -> Bool {
        let top = try PinnedEntry(place.single, in: root)
        let first = TreeEntry(folder: place.top, name: place.single, status: try top.status())
        var findings = none
        switch examine {
        case .byName(let body): body(first, root, [], &findings)
        case .held(let body): body(first, top, &findings)
        }
        try visit(findings)
        if place.single != nil { return true }
        var isWhole = true
        var pending = [place.top]
        while let folder = pending.popLast() {
            guard let opened = try open(folder) else {
                isWhole = false
                continue
            }
            var names = try opened.names()[...]
            while !names.isEmpty {
                let some = Array(names.prefix(Self.together))
                let pieces = ParallelWork.map(some, atLeast: 128, named: "walk") { [place] names in
                    Result { () throws(SystemError) in try Self.look(at: names, in: folder, opened, place, examine, none) }
                }
                names = names.dropFirst(Self.together)
                for piece in pieces {
                    let piece = try piece.get()
                    if !piece.isWhole { isWhole = false }
                    try visit(piece.findings)
                    pending += piece.folders.map { TreeFolder($0.name, in: folder, inode: $0.inode) }
                }
            }
        }
        return isWhole
    }

    enum Examination<Findings>: Sendable {
        /// Of what the name meant a moment before. Also gets the folder's prefix.
        case byName(@Sendable (TreeEntry, OpenFolder, _ prefix: [UInt8], inout Findings) -> Void)
        /// Of the thing itself, which costs an open descriptor for as long.
        case held(@Sendable (TreeEntry, borrowing PinnedEntry, inout Findings) -> Void)
    }

    /// What a thread has found in a part of a folder.
    private struct Piece<Findings: Sendable>: Sendable {
        var findings: Findings
        var folders: [(name: EntryName, inode: UInt64)] = []
        var isWhole = true
    }

    /// Names that are looked at before anything of them is shown.
    private static let together = 2048

    private static func look<Findings>(
        at names: ArraySlice<EntryName>, in folder: TreeFolder, _ opened: OpenFolder, _ place: Place,
        _ examine: Examination<Findings>, _ none: Findings
    ) throws(SystemError) -> Piece<Findings> {
        // What all threads refer to would be counted by all of them at each thing, which costs more than the rest of the work.
        let (folder, opened) = (TreeFolder(copying: folder), try opened.duplicate())
        let prefix = if case .byName = examine { folder.prefix } else { [UInt8]() }
        var piece = Piece(findings: none)
        /// - Returns: nil for what is not the tree's: something is mounted there, or it is another transfer.
        func entry(_ name: EntryName, _ status: EntryStatus) -> TreeEntry? {
            if place.isOutside(status) { return nil }
            if status.kind == .folder { piece.folders.append((name, status.inode)) }
            return TreeEntry(folder: folder, name: name, status: status)
        }
        for name in names {
            do throws(SystemError) {
                switch examine {
                case .byName(let body):
                    guard let status = try opened.statusIfThere(of: name) else {
                        piece.isWhole = false
                        continue
                    }
                    if let entry = entry(name, status) { body(entry, opened, prefix, &piece.findings) }
                case .held(let body):
                    let pinned = try PinnedEntry(name, in: opened)
                    if let entry = entry(name, try pinned.status()) { body(entry, pinned, &piece.findings) }
                }
            } catch {
                guard error.call == "openat2" && Place.isAbsence(error) else { throw error }
                // EXDEV: something is mounted there, or it was moved away while it was looked up.
                let there = error.errno == .improperLink ? try opened.statusIfThere(of: name) : nil
                if there?.isMountRoot != true { piece.isWhole = false }
            }
        }
        return piece
    }
}

extension Tree.Place {
    /// Returns when all changes are on the disk.
    func sync() throws(SystemError) { try root.syncFileSystem() }

    /// When a file was made; nil where that says nothing.
    func birth(of status: EntryStatus) -> EntryStatus.Time? { isOverlay ? nil : status.birth }

    /// Of a name that leads nowhere, or elsewhere, by now.
    fileprivate static func isAbsence(_ error: SystemError) -> Bool {
        [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels, .improperLink].contains(error.errno)
    }

    /// A subvolume is another device, though nothing is mounted; an overlay shows files, but no folders, of other devices.
    fileprivate func isOutside(_ status: EntryStatus) -> Bool {
        status.isMountRoot || status.kind == .folder && (status.device != device || excluded.contains(status.inode))
    }
}
