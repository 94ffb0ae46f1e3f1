// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// What has to be known of a layer before the first change of its source, kept in a file: a commit that is cut off goes on with it.
struct LayerSurvey: Sendable {
    /// A folder that the container renamed. Its upper folder has ``number`` in the attribute ``stagedKey``.
    struct Move: Sendable, Equatable {
        var number: Int
        /// In the source.
        var origin: EntryPath
    }

    /// Deepest origin first: what was moved out of another moved folder must be out before that one goes.
    var moves: [Move] = []
    /// Files of the source with several names, not all of which the layer may know.
    struct Replacement: Sendable, Equatable {
        /// In the layer: one of the file's names, and its inode.
        var path: EntryPath
        var inode: UInt64
        /// Of the source's file that it takes the place of.
        var source: UInt64
        var sourceModification: EntryStatus.Time
    }

    var replacements: [Replacement] = []
    /// What is committed.
    private(set) var selection = PathSelection.all
    /// The folder in the source in which things are put aside: a name that neither the source nor the layer has.
    private(set) var staging = ""

    static let stagedKey = OverlayLayer.ownPrefix + "staged"

    /// Looks at all of a layer, and numbers its moves.
    ///
    /// - Throws: `SelectionError`, if what is selected cannot go without something that is not.
    init(of layer: LayerFolder, _ selection: PathSelection, staging name: String) throws(CommitError) {
        self.selection = selection
        do throws(SystemError) {
            staging = try Self.freeName(like: name, in: layer)
            try look(layer, selection)
        } catch {
            throw CommitError(error)
        }
        for move in unselected {
            for removed in removals where removed.isSame(orAbove: move.origin) {
                throw CommitError("\(removed.text) was not removed, but \(move.origin.text) renamed to \(move.path.text); name both")
            }
            if selection.reaches(move.path) {
                throw CommitError("\(move.path.text) was renamed from \(move.origin.text); name the folder itself")
            }
        }
        moves.sort { $0.origin.names.count > $1.origin.names.count }
        unselected = []
        removals = []
    }

    private static func freeName(like name: String, in layer: LayerFolder) throws(SystemError) -> String {
        for number in 0..<1000 {
            let text = number == 0 ? name : "\(name).\(number)"
            guard let entry = EntryName(text) else { break }
            if try layer.upper.statusIfThere(of: entry) == nil, try layer.sourceStatus(of: entry) == nil { return text }
        }
        throw SystemError("mkdirat", .fileExists, on: name)
    }

    private var unselected: [(path: EntryPath, origin: EntryPath)] = []
    private var removals: [EntryPath] = []

    private mutating func look(_ layer: LayerFolder, _ selection: PathSelection) throws(SystemError) {
        var (moves, replacements): ([Move], [UInt64: Replacement]) = ([], [:])
        var (unselected, removals): ([(path: EntryPath, origin: EntryPath)], [EntryPath]) = ([], [])
        try OverlayLayer.removeOwnMarks(of: layer.upper)
        try layer.visit { (parent, entry) throws(SystemError) in
            switch entry {
            case .removal(let name, _):
                let path = parent.path.appending(name)
                if selection.covers(path), let base = parent.basePath { removals.append(base.appending(name)) }
            case .hidden: break
            case .folder(let folder):
                // Of an earlier commit; or a container made them that may do what root of the host may.
                try OverlayLayer.removeOwnMarks(of: folder.upper)
                guard let origin = folder.origin else { return }
                if !selection.covers(folder.path) { return unselected.append((folder.path, origin)) }
                // Without what it came from it is as good as new.
                if folder.base == nil {
                    try folder.upper.removeAttribute(OverlayLayer.redirectKey)
                    return try folder.upper.setAttribute(OverlayLayer.opaqueKey, to: Array("y".utf8))
                }
                try folder.upper.setAttribute(Self.stagedKey, to: Array(String(moves.count).utf8))
                moves.append(Move(number: moves.count, origin: origin))
            case .file(let name, let status):
                guard status.links > 1, selection.covers(parent.path.appending(name)),
                    case .file(let origin) = try OverlayLayer.origin(of: name, in: parent.upper, base: layer.base ?? layer.upper),
                    origin.links > 1
                else { return }
                replacements[status.inode] = Replacement(
                    path: parent.path.appending(name), inode: status.inode, source: origin.inode, sourceModification: origin.modification)
            }
        }
        self.moves = moves
        self.replacements = replacements.values.sorted { $0.inode < $1.inode }
        (self.unselected, self.removals) = (unselected, removals)
    }

    // MARK: Its file

    private static let limit = 256 << 20

    /// Nil if there is none.
    static func read(_ file: FilePath) throws(CommitError) -> LayerSurvey? {
        let bytes: [UInt8]?
        do throws(SystemError) { bytes = try readRegularFileIfThere(file, limit: limit) } catch { throw CommitError(error) }
        guard let bytes else { return nil }
        do throws(JSONShapeError) { return try LayerSurvey(JSONObjectReader(parsing: bytes)) } catch {
            throw CommitError("\(file) is damaged: \(error)")
        }
    }

    private init(_ object: JSONObjectReader) throws(JSONShapeError) {
        staging = try object.requiredText("staging")
        selection = PathSelection(
            try object.listIfPresent("paths") { (entry) throws(JSONShapeError) in
                guard let path = EntryPath(bytes: try entry.numbers("path") as [UInt8]) else { throw entry.error("is no path", at: "path") }
                return path
            })
        moves = try object.list("moves") { (move) throws(JSONShapeError) in
            guard let origin = EntryPath(bytes: try move.numbers("origin") as [UInt8]) else { throw move.error("is no path", at: "origin") }
            return Move(number: try move.number("number"), origin: origin)
        }
        replacements = try object.list("replacements") { (pair) throws(JSONShapeError) in
            guard let path = EntryPath(bytes: try pair.numbers("path") as [UInt8]) else { throw pair.error("is no path", at: "path") }
            return Replacement(
                path: path, inode: try pair.number("inode"), source: try pair.number("source"),
                sourceModification: EntryStatus.Time(seconds: try pair.number("seconds"), nanoseconds: try pair.number("nanoseconds")))
        }
    }

    /// As one step, and synced.
    func write(to file: FilePath) throws(SystemError) {
        let moves = moves.map { move -> JSONValue in
            ["number": JSONValue(move.number), "origin": .array(move.origin.bytes.map { JSONValue($0) })]
        }
        let pairs = replacements.map { pair -> JSONValue in
            [
                "path": .array(pair.path.bytes.map { JSONValue($0) }), "inode": JSONValue(pair.inode), "source": JSONValue(pair.source),
                "seconds": JSONValue(pair.sourceModification.seconds), "nanoseconds": JSONValue(pair.sourceModification.nanoseconds),
            ]
        }
        var text: JSONObject = [
            "version": 1, "staging": .string(staging), "moves": .array(moves), "replacements": .array(pairs),
        ]
        if let paths = selection.paths {
            text["paths"] = .array(paths.map { path in ["path": .array(path.bytes.map { JSONValue($0) })] })
        }
        try replaceFile(file, with: JSONValue.object(text).encoded())
    }
}

/// Why changes were not committed.
struct CommitError: Error, Sendable, CustomStringConvertible {
    let description: String
    /// Of the call that failed, if it was one.
    let cause: SystemError?

    init(_ text: String) {
        description = text
        cause = nil
    }

    init(_ error: SystemError) {
        description = "\(error)"
        cause = error
    }
}
