// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// The files of a layer that overlayfs has an index of: of the source's files with several names those that the container changed.
///
/// A container sees such a change under all names that the file has left. The layer has only the names under which it was changed, and
/// none if the container took these away: then the file is in the index alone.
/// Documentation/filesystems/overlayfs.rst, "index"; Linux 4.13.
struct LayerIndex {
    private let index: OpenFolder
    private let names: [EntryName]
    /// Where folders are made before they get their place.
    private let layer: OpenFolder

    private struct File {
        /// In the index.
        let name: EntryName
        /// The source's file that it takes the place of.
        let origin: EntryStatus
    }

    /// - Parameter layer: the folder that has overlayfs' folders.
    /// - Returns: nil if the index has no file; the source is not looked at.
    init?(of layer: OpenFolder) throws(SystemError) {
        guard let work = EntryName("work"), let name = EntryName("index"),
            let index = try layer.folderIfThere(work)?.folderIfThere(name)
        else { return nil }
        var names: [EntryName] = []
        for name in try index.names() {
            guard let status = try index.statusIfThere(of: name) else { continue }
            if status.kind != .folder && !OverlayLayer.isRemoval(status) { names.append(name) }
        }
        if names.isEmpty { return nil }
        (self.layer, self.index, self.names) = (layer, index, names)
    }

    /// Gives the files all names in the layer under which the container saw them: then the layer alone says what was changed.
    ///
    /// - Parameter root: the root of the layer, over the source.
    func giveNames(in root: LayerFolder) throws(SystemError) {
        guard let source = root.base else { return }
        var files: [File] = []
        for name in names {
            // One that is gone, or has one name by now, has no other name that could be found.
            guard case .file(let origin) = try OverlayLayer.origin(of: name, in: index, base: source), origin.links > 1 else { continue }
            files.append(File(name: name, origin: origin))
        }
        if files.isEmpty { return }
        let wanted = Dictionary(files.map { ($0.origin.inode, $0) }) { one, _ in one }
        try giveNames(to: wanted, at: root)
        try root.visit { (_, entry) throws(SystemError) in
            if case .folder(let folder) = entry { try giveNames(to: wanted, at: folder) }
        }
        for file in files { try countNames(of: file.name) }
    }

    private func giveNames(to wanted: [UInt64: File], at folder: LayerFolder) throws(SystemError) {
        guard let base = folder.base else { return }
        let known = Set(try folder.upper.names())
        try base.visit { (_, name, status, path) throws(SystemError) in
            // What the layer has there hides it, or is visited by itself.
            if path.names.count == 1 && known.contains(name) { return .skip }
            if status.kind != .folder, let file = wanted[status.inode], status.isSame(as: file.origin) {
                try give(file.name, path, in: folder, base)
            }
            return .enter
        }
    }

    private func give(_ indexed: EntryName, _ path: EntryPath, in folder: LayerFolder, _ base: OpenFolder) throws(SystemError) {
        guard let (parents, name) = path.parted else { return }
        var (upper, base) = (folder.upper, base)
        for parent in parents.names {
            base = try OpenFolder(parent, in: base)
            if try upper.folderIfThere(parent) == nil { try makeFolder(parent, like: base, in: upper) }
            upper = try OpenFolder(parent, in: upper)
        }
        if try upper.statusIfThere(of: name) != nil { return }
        try upper.keepingTimes { () throws(SystemError) in try upper.link(indexed, in: index, as: name) }
    }

    /// As overlayfs does it before the first change in a folder; in one step, since a commit gives the source what it finds.
    private func makeFolder(_ name: EntryName, like base: OpenFolder, in upper: OpenFolder) throws(SystemError) {
        guard let draft = EntryName("draft") else { return }
        try removeTree(draft, in: layer)
        try layer.makeFolder(draft, mode: 0o700)
        let (folder, attributes) = (try OpenFolder(draft, in: layer), try EntryAttributes(of: nil, in: base))
        try attributes.apply(to: folder)
        try folder.setAttribute(OverlayLayer.coversKey, to: Array("y".utf8))
        try folder.setTimes(access: attributes.status.access, modification: attributes.status.modification)
        try upper.keepingTimes { () throws(SystemError) in try layer.rename(draft, to: name, in: upper, replacing: false) }
    }

    private static let countKey = OverlayLayer.prefix + "nlink"

    /// The count of names that a later mount shows is kept as a difference to that of the layer's file, which has one more, that in the
    /// index. fs/overlayfs/util.c, ovl_set_nlink_upper
    private func countNames(of name: EntryName) throws(SystemError) {
        if try index.attribute(Self.countKey, of: name) == nil { return }
        try index.setAttribute(Self.countKey, of: name, to: Array("U-1".utf8))
    }
}

extension OpenFolder {
    /// Does something that changes what is in it, and gives it back the times of before.
    fileprivate func keepingTimes(_ body: () throws(SystemError) -> Void) throws(SystemError) {
        let before = try status()
        try body()
        try setTimes(access: before.access, modification: before.modification)
    }
}
