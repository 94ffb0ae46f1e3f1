// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// A change whose place in the source somebody else has changed meanwhile.
struct LayerConflict: Sendable, Equatable {
    var path: EntryPath
    /// What somebody else did.
    var reason: String
    /// What of the layer is dropped if the other change is to stay.
    fileprivate var place: EntryPath
    /// Only the attributes of the folder at ``place`` are in question.
    fileprivate var isOfAttributes = false
}

extension LayerFolder {
    /// All conflicts, by the times at which the file system changed what it has (ctime).
    ///
    /// - Parameter begun: when the layer was laid over the source. What was changed in the same tick of the clock counts as changed.
    func conflicts(since begun: EntryStatus.Time) throws(SystemError) -> [LayerConflict] {
        var origins: Set<EntryPath> = []
        try visit { (_, entry) in if case .folder(let folder) = entry, let origin = folder.origin { origins.insert(origin) } }
        let search = ConflictSearch(begun: begun, origins: origins)
        var conflicts: [LayerConflict] = []
        try visit { (parent, entry) throws(SystemError) in
            if let conflict = try search.conflict(entry, in: parent) { conflicts.append(conflict) }
        }
        return conflicts
    }

    /// Drops, or gives other names to, what of this layer is in conflict, so that a commit leaves alone what others have changed.
    ///
    /// - Parameters:
    ///   - suffix: of the other names; nil to drop.
    func resolve(_ conflicts: [LayerConflict], suffix: String?) throws(SystemError) {
        // Inner places first, and each once.
        let places = Dictionary(conflicts.map { ($0.place, $0) }) { one, other in one.isOfAttributes ? other : one }
        for (place, conflict) in places.sorted(by: { $1.key < $0.key }) {
            guard let (path, name) = place.parted else { continue }
            let folder = try upper.folder(at: path)
            guard let status = try folder.statusIfThere(of: name) else { continue }
            if conflict.isOfAttributes {
                var layer = self
                for name in place.names { layer = try layer.child(name) }
                if let base = layer.base { try EntryAttributes(of: nil, in: base).apply(to: layer.upper) }
            } else if let suffix, !OverlayLayer.isRemoval(status), let other = EntryName(bytes: name.bytes + Array(suffix.utf8)) {
                try OverlayLayer.removeMarks(of: name, in: folder)
                try folder.rename(name, to: other, in: folder, replacing: false)
            } else {
                try removeTree(name, in: folder)
            }
        }
    }
}

private struct ConflictSearch {
    let begun: EntryStatus.Time
    /// What of the source was renamed as a whole: what others do in it goes along, and is in nobody's way.
    let origins: Set<EntryPath>

    func conflict(_ entry: LayerEntry, in parent: LayerFolder) throws(SystemError) -> LayerConflict? {
        switch entry {
        case .removal(let name, let status):
            let (path, base) = (parent.path.appending(name), parent.basePath?.appending(name))
            if let base, origins.contains(base) { return nil }
            guard let folder = parent.base, try isChanged(name, status, in: folder, at: base) else { return nil }
            return LayerConflict(path: path, reason: "it was removed, and has been changed", place: path)
        case .hidden(let name, let status):
            guard let folder = parent.hidden, try isChanged(name, status, in: folder, at: nil) else { return nil }
            let path = parent.path.appending(name)
            return LayerConflict(path: path, reason: "it was removed, and has been changed", place: parent.hiddenSince ?? path)
        case .folder(let folder): return try conflict(folder, in: parent)
        case .file(let name, let status): return try conflict(name, status, in: parent)
        }
    }

    private func conflict(_ folder: LayerFolder, in parent: LayerFolder) throws(SystemError) -> LayerConflict? {
        let path = folder.path
        guard let name = path.names.last else { return nil }
        if let base = folder.base, folder.origin == nil {
            let (ours, theirs) = (try EntryAttributes(of: nil, in: folder.upper), try EntryAttributes(of: nil, in: base))
            if ours.isSame(as: theirs) || theirs.status.change < begun { return nil }
            return LayerConflict(
                path: path, reason: "its owner, mode or attributes differ, and something in it has been changed", place: path,
                isOfAttributes: true)
        }
        if folder.origin != nil && folder.base == nil {
            return LayerConflict(path: path, reason: "what it was before it was renamed has been removed", place: path)
        }
        let covered = try parent.sourceStatus(of: name)
        if covered == nil, folder.origin == nil, try OverlayLayer.covers(folder.upper) {
            return LayerConflict(path: path, reason: "it has been removed", place: path)
        }
        guard let covered, covered.kind != .folder || folder.origin != nil, let base = parent.base ?? parent.hidden,
            try isChanged(name, covered, in: base, at: parent.basePath?.appending(name))
        else { return nil }
        return LayerConflict(path: path, reason: "something else has been put there", place: path)
    }

    private func conflict(_ name: EntryName, _ status: EntryStatus, in parent: LayerFolder) throws(SystemError) -> LayerConflict? {
        let path = parent.path.appending(name)
        if let base = parent.base ?? parent.hidden, let covered = try base.statusIfThere(of: name) {
            guard try isChanged(name, covered, in: base, at: parent.basePath?.appending(name)) else { return nil }
            let place = parent.hiddenSince ?? path
            return LayerConflict(path: path, reason: "it has been changed", place: place)
        }
        guard status.kind == .file, let base = parent.base else { return nil }
        switch try OverlayLayer.origin(of: name, in: parent.upper, base: base) {
        case .none: return nil
        case .gone: return LayerConflict(path: path, reason: "it has been removed or replaced", place: path)
        case .file(let origin):
            if origin.change < begun { return nil }
            return LayerConflict(path: path, reason: "it has been changed or renamed", place: path)
        }
    }

    /// Whether something of the source, or something below it, was changed since.
    private func isChanged(
        _ name: EntryName, _ status: EntryStatus, in folder: OpenFolder, at path: EntryPath?
    ) throws(SystemError) -> Bool {
        if let path, origins.contains(path) { return false }
        if status.change >= begun { return true }
        guard status.kind == .folder, !status.isMountRoot else { return false }
        var isChanged = false
        try OpenFolder(name, in: folder).visit { (_, _, status, inner) throws(SystemError) in
            if let path, origins.contains(EntryPath(path.names + inner.names)) { return .skip }
            isChanged = status.change >= begun
            return isChanged ? .end : .enter
        }
        return isChanged
    }
}
