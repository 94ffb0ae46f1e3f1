// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Applies an upper layer to the source that it lay over. What has been applied leaves the layer, so a commit that was cut off, even by a
/// kill or a loss of power, goes on where it was: what is left in the layer is what is still to be done.
///
/// A file gets its final name by rename(2) when its data is on the disk, so nobody finds half of one under it. Folders that the
/// container renamed are first put aside, all of them, and then where they belong: any exchange of names comes out right.
final class LayerCommit {
    /// A folder on its way.
    private struct Level {
        let upper: OpenFolder
        let target: OpenFolder
        let path: EntryPath
        var rest: [EntryName]
        /// Of the folder as the container knows it.
        let attributes: EntryAttributes
    }

    private let upper: OpenFolder
    private let source: OpenFolder
    private let isFolder: Bool
    private let placing: LayerPlacing
    private let survey: LayerSurvey
    private var selection: PathSelection { survey.selection }

    /// - Parameters:
    ///   - isFolder: false if the source is a single file of its folder, which itself stays as it is.
    ///   - isMapped: whether owners on the source's mount are others than on its file system, so that a rename would not do.
    init(
        upper: OpenFolder, to source: OpenFolder, survey: LayerSurvey, isFolder: Bool, isMapped: Bool
    ) throws(SystemError) {
        self.upper = upper
        self.source = source
        self.isFolder = isFolder
        self.survey = survey
        // Before anything changes it.
        _ = try Self.times(of: upper)
        placing = try LayerPlacing(
            into: source, staging: survey.staging, from: upper, shared: Set(survey.replacements.map(\.inode)),
            copies: isMapped)
    }

    func run() throws(SystemError) {
        // What the container wrote must not be lost by a loss of power behind a rename.
        try upper.syncFileSystem()
        try replaceOtherNames()
        try putMovesAside()
        try applyAll()
        try placing.flush()
        try source.syncFileSystem()
        try placing.finish()
    }

    // MARK: Renamed folders

    private static func stagedName(_ number: some BinaryInteger) -> EntryName? { EntryName("moved-\(number)") }

    private func putMovesAside() throws(SystemError) {
        for move in survey.moves {
            guard let name = Self.stagedName(move.number), let (path, last) = move.origin.parted,
                try placing.staging.statusIfThere(of: name) == nil
            else { continue }
            do throws(SystemError) {
                try source.folder(at: path).rename(last, to: name, in: placing.staging, replacing: false)
            } catch {
                // It is where it belongs by now.
                if !error.isMissing { throw error }
            }
        }
        try placing.staging.sync()
    }

    /// Puts a renamed folder where it belongs.
    private func place(_ upper: OpenFolder, _ name: EntryName, in target: OpenFolder) throws(SystemError) {
        let number = try upper.attribute(LayerSurvey.stagedKey).map { String(decoding: $0, as: UTF8.self) }.flatMap(Int.init)
        if let number, let staged = Self.stagedName(number), try placing.staging.statusIfThere(of: staged) != nil {
            try placing.clear(name, in: target)
            try placing.staging.rename(staged, to: name, in: target, replacing: false)
            // On the disk before it is forgotten where it came from.
            try target.sync()
        }
        try upper.removeAttribute(OverlayLayer.redirectKey)
        try upper.removeAttribute(LayerSurvey.stagedKey)
    }

    // MARK: All else

    private func applyAll() throws(SystemError) {
        var levels = [
            Level(
                upper: upper, target: source, path: EntryPath(), rest: try upper.names().sorted(by: >),
                attributes: try Self.times(of: upper))
        ]
        while let level = levels.last {
            guard let name = level.rest.last else {
                levels.removeLast()
                try finish(level, in: levels.last)
                continue
            }
            levels[levels.count - 1].rest.removeLast()
            let path = level.path.appending(name)
            guard selection.reaches(path), let status = try level.upper.statusIfThere(of: name) else { continue }
            if OverlayLayer.isRemoval(status) {
                guard selection.covers(path) else { continue }
                try placing.clear(name, in: level.target)
                try level.upper.remove(name)
            } else if status.kind == .folder {
                if let inner = try enter(name, path, level) { levels.append(inner) }
            } else if selection.covers(path) {
                try placing.place(name, status, from: level.upper, in: level.target)
            }
        }
    }

    /// - Returns: nil if the folder was placed as a whole.
    private func enter(_ name: EntryName, _ path: EntryPath, _ level: Level) throws(SystemError) -> Level? {
        let inner = try OpenFolder(name, in: level.upper)
        let attributes = try Self.times(of: inner)
        if try inner.attribute(LayerSurvey.stagedKey) != nil { try place(inner, name, in: level.target) }
        let present = try level.target.statusIfThere(of: name)
        let isOpaque = try OverlayLayer.isOpaque(inner)
        if isOpaque && present != nil && selection.covers(path) { try placing.clear(name, in: level.target) }
        if present == nil || isOpaque, selection.covers(path),
            try placing.placeWhole(name, from: level.upper, in: level.target, attributes)
        {
            return nil
        }
        if let present, present.kind != .folder { try placing.clear(name, in: level.target) }
        if try level.target.folderIfThere(name) == nil {
            try placing.flush()
            try level.target.makeFolder(name, mode: 0o700)
            try OpenFolder(name, in: level.target).setOwner(user: attributes.status.user, group: attributes.status.group)
        }
        // From here on it may have things of this commit in it, which must not be cleared.
        if isOpaque { try inner.removeAttribute(OverlayLayer.opaqueKey) }
        return Level(
            upper: inner, target: try OpenFolder(name, in: level.target), path: path, rest: try inner.names().sorted(by: >),
            attributes: attributes)
    }

    /// Gives a folder what the container knows of it, and takes it out of the layer.
    private func finish(_ level: Level, in parent: Level?) throws(SystemError) {
        guard let parent, let name = level.path.names.last else {
            if isFolder && selection.isAll { try placing.finish(level.target, level.attributes, removing: nil) }
            return
        }
        if selection.covers(level.path) {
            try placing.finish(level.target, level.attributes, removing: (name, parent.upper))
        } else {
            try placing.finish(level.target, level.attributes, removing: nil)
        }
    }

    private static let timesKey = OverlayLayer.ownPrefix + "times"

    /// A folder's attributes with the times that it had before this commit took anything out of it; kept in an attribute of its own.
    private static func times(of folder: OpenFolder) throws(SystemError) -> EntryAttributes {
        var attributes = try EntryAttributes(of: nil, in: folder)
        if let value = try folder.attribute(timesKey) {
            let numbers = String(decoding: value, as: UTF8.self).split(separator: " ").compactMap { Int64($0) }
            if numbers.count == 4 {
                attributes.status.access = .init(seconds: numbers[0], nanoseconds: UInt32(clamping: numbers[1]))
                attributes.status.modification = .init(seconds: numbers[2], nanoseconds: UInt32(clamping: numbers[3]))
            }
        } else {
            let (access, change) = (attributes.status.access, attributes.status.modification)
            let text = "\(access.seconds) \(access.nanoseconds) \(change.seconds) \(change.nanoseconds)"
            try folder.setAttribute(timesKey, to: Array(text.utf8))
        }
        return attributes
    }

    // MARK: Files with several names

    /// Gives files of the source with several names their new contents under all of them, also those that the layer does not know.
    ///
    /// Done before anything else, for the inodes of the source's files are numbers that new files may get when these are gone.
    private func replaceOtherNames() throws(SystemError) {
        let done = EntryName("replaced")
        guard !survey.replacements.isEmpty, let done, try placing.staging.statusIfThere(of: done) == nil else { return }
        for replacement in survey.replacements {
            guard let (path, name) = replacement.path.parted else { continue }
            try placing.share(name, from: upper.folder(at: path))
        }
        try placing.flush()
        let device = try source.status().device
        let wanted = Dictionary(survey.replacements.map { ($0.source, $0) }) { one, _ in one }
        try source.visit { (folder, name, status, path) throws(SystemError) in
            if path.names == [placing.stagingName] { return .skip }
            if let replacement = wanted[status.inode], status.kind != .folder, status.device == device,
                status.modification == replacement.sourceModification
            {
                try placing.placeShared(replacement.inode, as: name, in: folder)
            }
            return .enter
        }
        try source.syncFileSystem()
        try placing.staging.makeFolder(done, mode: 0o700)
    }
}
