// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// A folder of a tree, by the names that lead to it. It is opened when it is its turn: a deep tree needs no descriptor for each level.
final class TreeFolder {
    let above: TreeFolder?
    let name: EntryName?
    let inode: UInt64

    init(_ name: EntryName?, in above: TreeFolder?, inode: UInt64) {
        self.above = above
        self.name = name
        self.inode = inode
    }

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
struct TreeEntry {
    var folder: TreeFolder
    /// Nil for the tree's root, if that is a folder.
    var name: EntryName?
    var status: EntryStatus

    var owner: FileOwner { FileOwner(user: status.user, group: status.group) }

    /// Bytes from the tree's root; `.` for the root.
    var path: [UInt8] {
        let names = folder.path + (name.map { [$0] } ?? [])
        return names.isEmpty ? [UInt8(ascii: ".")] : Array(names.map(\.bytes).joined(separator: [UInt8(ascii: "/")]))
    }
}

/// What is below the source of a mount, walked by descriptors: no symbolic link is followed, and nothing that is mounted below is entered.
/// Others may change it meanwhile.
final class Tree {
    private let root: OpenFolder
    private let top: TreeFolder
    /// The name of a source that is no folder; then the root is the folder that it is in.
    private let single: EntryName?
    private let inode: UInt64
    private let device: UInt64
    private let excluded: Set<UInt64>
    /// Whether a file is made anew below the surface when it is changed for the first time, as on an overlay.
    private let isOverlay: Bool
    private var last: (folder: TreeFolder, opened: OpenFolder)?

    /// - Throws: `SystemError`; `ESTALE` if something else is in its place.
    init(_ transfer: KeptTransfer) throws(SystemError) {
        let place = FilePath(transfer.place)
        root = try OpenFolder(at: transfer.isFolder ? place : place.removingLastComponent())
        single = transfer.isFolder ? nil : EntryName(transfer.place.split(atByte: "/").last ?? "")
        inode = transfer.inode
        excluded = Set(transfer.excluded)
        let status: EntryStatus
        if let single { status = try root.status(of: single) } else { status = try root.status() }
        device = status.device
        guard status.inode == inode, (status.kind == .folder) == transfer.isFolder else {
            throw SystemError("open", .staleNFSFileHandle, on: transfer.place, hint: "something else is in its place")
        }
        if single != nil && status.isMountRoot {
            throw SystemError("open", .improperLink, on: transfer.place, hint: "it is a mount itself")
        }
        top = TreeFolder(nil, in: nil, inode: transfer.isFolder ? inode : try root.status().inode)
        isOverlay = try PinnedEntry(nil, in: root).isOnOverlay()
    }

    /// When a file was made; nil where that says nothing.
    func birth(of status: EntryStatus) -> EntryStatus.Time? { isOverlay ? nil : status.birth }

    /// - Returns: nil if it is not where it was any more.
    func open(_ folder: TreeFolder) throws(SystemError) -> OpenFolder? {
        if let last, last.folder === folder { return last.opened }
        let opened: OpenFolder
        do throws(SystemError) {
            opened = try openFolder(folder.path, below: root)
        } catch {
            if Self.isAbsence(error) { return nil }
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
            if error.call == "openat2" && Self.isAbsence(error) { return nil }
            throw error
        }
    }

    /// Of a name that leads nowhere, or elsewhere, by now.
    private static func isAbsence(_ error: SystemError) -> Bool {
        [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels, .improperLink].contains(error.errno)
    }

    /// Shows all that is in the tree, a folder before what is in it.
    ///
    /// - Returns: whether nothing was moved away meanwhile, with what is below it.
    func walk(_ visit: (TreeEntry, OpenFolder) throws(SystemError) -> Void) throws(SystemError) -> Bool {
        if let single {
            try visit(TreeEntry(folder: top, name: single, status: root.status(of: single)), root)
            return true
        }
        try visit(TreeEntry(folder: top, name: nil, status: root.status()), root)
        var isWhole = true
        var pending = [top]
        while let folder = pending.popLast() {
            guard let opened = try open(folder) else {
                isWhole = false
                continue
            }
            for name in try opened.names() {
                guard let status = try opened.statusIfThere(of: name) else {
                    isWhole = false
                    continue
                }
                // A subvolume is another device, though nothing is mounted; an overlay shows files, but no folders, of other devices.
                let isFolder = status.kind == .folder
                if status.isMountRoot || (isFolder && (status.device != device || excluded.contains(status.inode))) { continue }
                try visit(TreeEntry(folder: folder, name: name, status: status), opened)
                if isFolder { pending.append(TreeFolder(name, in: folder, inode: status.inode)) }
            }
        }
        return isWhole
    }

    /// Returns when all changes are on the disk.
    func sync() throws(SystemError) { try root.syncFileSystem() }
}
