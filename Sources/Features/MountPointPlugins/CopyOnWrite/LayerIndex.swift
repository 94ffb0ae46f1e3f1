// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Files of a layer that have no name in it: the container changed a file of the source that has several names, and then took away the
/// one under which it had changed it. The others still show the change, but only the index in overlayfs' work folder has the file.
/// Documentation/filesystems/overlayfs.rst, "index"; Linux 4.13.
struct LayerIndex {
    private let index: OpenFolder
    /// Names in the index, by the inodes of the source's files.
    private let nameless: [UInt64: EntryName]
    /// Where folders are made before they get their place.
    private let layer: OpenFolder

    /// - Parameter layer: the folder that has overlayfs' folders.
    /// - Returns: nil if all files have names.
    init?(of layer: OpenFolder, over source: OpenFolder) throws(SystemError) {
        guard let work = EntryName("work"), let name = EntryName("index"),
            let index = try layer.folderIfThere(work)?.folderIfThere(name)
        else { return nil }
        var nameless: [UInt64: EntryName] = [:]
        for name in try index.names() {
            guard let status = try index.statusIfThere(of: name), status.kind != .folder, !OverlayLayer.isRemoval(status),
                status.links == 1,
                case .file(let origin) = try OverlayLayer.origin(of: name, in: index, base: source)
            else { continue }
            nameless[origin.inode] = name
        }
        if nameless.isEmpty { return nil }
        (self.layer, self.index, self.nameless) = (layer, index, nameless)
    }

    /// Gives them the names in the layer under which the container saw them: then the layer alone says what was changed.
    func giveNames(in root: LayerFolder) throws(SystemError) {
        try giveNames(at: root)
        try root.visit { (_, entry) throws(SystemError) in
            if case .folder(let folder) = entry { try giveNames(at: folder) }
        }
    }

    private func giveNames(at folder: LayerFolder) throws(SystemError) {
        guard let base = folder.base else { return }
        let known = Set(try folder.upper.names())
        try base.visit { (_, name, status, path) throws(SystemError) in
            // What the layer has there hides it, or is visited by itself.
            if path.names.count == 1 && known.contains(name) { return .skip }
            if status.kind != .folder, let indexed = nameless[status.inode] { try give(indexed, path, in: folder, base) }
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
        try upper.link(indexed, in: index, as: name)
        try countName(of: name, in: upper)
    }

    /// As overlayfs does it before the first change in a folder; in one step, since a commit gives the source what it finds.
    private func makeFolder(_ name: EntryName, like base: OpenFolder, in upper: OpenFolder) throws(SystemError) {
        guard let draft = EntryName("draft") else { return }
        try removeTree(draft, in: layer)
        try layer.makeFolder(draft, mode: 0o700)
        let (folder, attributes) = (try OpenFolder(draft, in: layer), try EntryAttributes(of: nil, in: base))
        try attributes.apply(to: folder)
        try folder.setTimes(access: attributes.status.access, modification: attributes.status.modification)
        try layer.rename(draft, to: name, in: upper, replacing: false)
    }

    private static let countKey = OverlayLayer.prefix + "nlink"

    /// The count of names that a later mount shows is kept as a difference to that of the layer's file. fs/overlayfs/util.c, ovl_set_nlink
    private func countName(of name: EntryName, in folder: OpenFolder) throws(SystemError) {
        guard let value = try folder.attribute(Self.countKey, of: name).map({ String(decoding: $0, as: UTF8.self) }), value.first == "U",
            let difference = Int32(value.dropFirst())
        else { return }
        let less = difference &- 1
        try folder.setAttribute(Self.countKey, of: name, to: Array("U\(less < 0 ? "" : "+")\(less)".utf8))
    }
}
