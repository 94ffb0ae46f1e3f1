// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// A folder of an upper layer, with the folder of the source that it lies over.
struct LayerFolder {
    /// As the container knows it.
    let path: EntryPath
    let upper: OpenFolder
    /// What is seen through it; nil for nothing.
    let base: OpenFolder?
    let basePath: EntryPath?
    /// What it hides of the source, if it took the place of another folder.
    let hidden: OpenFolder?
    /// The topmost folder that hides what is in ``hidden``.
    let hiddenSince: EntryPath?
    /// Where it was in the source, if the container renamed it.
    let origin: EntryPath?
    /// The source's root.
    private let root: OpenFolder

    /// The root of a layer.
    init(upper: OpenFolder, over source: OpenFolder) {
        self.init(
            path: EntryPath(), upper: upper, base: source, basePath: EntryPath(), hidden: nil, hiddenSince: nil, origin: nil, root: source)
    }

    private init(
        path: EntryPath, upper: OpenFolder, base: OpenFolder?, basePath: EntryPath?, hidden: OpenFolder?, hiddenSince: EntryPath?,
        origin: EntryPath?, root: OpenFolder
    ) {
        self.path = path
        self.upper = upper
        self.base = base
        self.basePath = basePath
        self.hidden = hidden
        self.hiddenSince = hiddenSince
        self.origin = origin
        self.root = root
    }

    /// A folder in it.
    func child(_ name: EntryName) throws(SystemError) -> LayerFolder {
        let (path, upper) = (path.appending(name), try OpenFolder(name, in: upper))
        let covered = try (base ?? hidden)?.folderIfThere(name)
        if let origin = try OverlayLayer.origin(of: upper, parentBase: basePath) {
            var found: OpenFolder?
            do throws(SystemError) { found = try root.folder(at: origin) } catch { if !error.isMissing { throw error } }
            return LayerFolder(
                path: path, upper: upper, base: found, basePath: origin, hidden: nil, hiddenSince: nil, origin: origin, root: root)
        }
        let isOpaque = base == nil ? true : try OverlayLayer.isOpaque(upper)
        return LayerFolder(
            path: path, upper: upper, base: isOpaque ? nil : covered,
            basePath: isOpaque || covered == nil ? nil : basePath?.appending(name),
            hidden: isOpaque ? covered : nil, hiddenSince: isOpaque && covered != nil ? hiddenSince ?? path : nil, origin: nil, root: root)
    }

    /// Of something in the source that this folder is seen in front of.
    func sourceStatus(of name: EntryName) throws(SystemError) -> EntryStatus? { try (base ?? hidden)?.statusIfThere(of: name) }
}

/// What a layer says of a name.
enum LayerEntry {
    /// What the source has is gone.
    case removal(EntryName, EntryStatus)
    /// What the source has is gone, since another folder took the place of the one that it was in.
    case hidden(EntryName, EntryStatus)
    case folder(LayerFolder)
    /// Anything else.
    case file(EntryName, EntryStatus)
}

extension LayerFolder {
    /// What is in it, by name; removals only of what the source still has.
    func entries() throws(SystemError) -> [LayerEntry] {
        var entries: [LayerEntry] = []
        let names = try upper.names().sorted()
        for name in names {
            let status = try upper.status(of: name)
            if OverlayLayer.isRemoval(status) {
                if let gone = try base?.statusIfThere(of: name) { entries.append(.removal(name, gone)) }
            } else if status.kind == .folder {
                entries.append(.folder(try child(name)))
            } else {
                entries.append(.file(name, status))
            }
        }
        if let hidden {
            for name in Set(try hidden.names()).subtracting(names).sorted() {
                entries.append(.hidden(name, try hidden.status(of: name)))
            }
        }
        return entries
    }

    /// Visits all that is below, each folder before what is in it.
    func visit(_ body: (_ parent: LayerFolder, _ entry: LayerEntry) throws(SystemError) -> Void) throws(SystemError) {
        var levels = [(folder: self, rest: Array(try entries().reversed()))]
        while let level = levels.last {
            guard let entry = level.rest.last else {
                levels.removeLast()
                continue
            }
            levels[levels.count - 1].rest.removeLast()
            try body(level.folder, entry)
            if case .folder(let folder) = entry { levels.append((folder, Array(try folder.entries().reversed()))) }
        }
    }
}
