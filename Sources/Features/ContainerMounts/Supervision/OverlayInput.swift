// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths
import LinuxSystem
import OCIRuntime
import SystemPackage

/// A mount of a source that is attached nowhere yet.
struct SourceClone {
    let target: FilePath
    let isFolder: Bool
    let mount: DetachedMount
    /// The files that must be found below the target, with the paths by which they were looked up.
    var contents: [Content] = []

    struct Content {
        /// Relative to the target.
        let path: String
        let name: String
        let file: PinnedFile
    }

    /// - Throws: `SystemError`; `EINVAL` says what may be the cause.
    init(of file: PinnedFile, recursively: Bool, target: FilePath) throws(SystemError) {
        self.target = target
        isFolder = file.isFolder
        do throws(SystemError) {
            mount = try file.clone(recursively: recursively)
        } catch  where error.errno == .invalidArgument {
            var error = error
            error.hint = "a mount that is unbindable, or has been unmounted meanwhile, cannot be mounted in a container"
            throw error
        }
    }

    /// Once it is attached.
    ///
    /// - Throws: `SystemError` if something else is found below the target.
    func verifyContents() throws(SystemError) {
        if contents.isEmpty { return }
        let mount = try PinnedFile(at: target.string).mountID()
        for content in contents {
            // The mount, too: a link could lead to the same file, and to another one later.
            guard let found = try? PinnedFile(at: "\(target)/\(content.path)"), found.isSame(as: content.file),
                (try? found.mountID()) == mount
            else {
                throw SystemError(
                    "open", .noSuchFileOrDirectory, on: content.name,
                    hint: "it has been moved or replaced since the plugins were asked; start again")
            }
        }
    }
}

/// An overlay whose folders are mounted from the pinned ones, at places that the delegate runtime is told. The kernel accepts the folders of
/// an overlay only by path.
///
/// `upperdir` and `workdir` must be on one mount. So the folder that contains both is mounted, and they are found below it by name, without
/// following links, and compared with the pinned folders.
struct OverlayInput {
    /// In config.json.
    let index: Int
    /// As the runtime below is to see them.
    let options: [String]
    private let folders: [(source: PinnedSources.Source, target: FilePath)]
    private let above: FolderAbove?

    /// The folder that contains both `upperdir` and `workdir`.
    private struct FolderAbove {
        let file: PinnedFile
        let contents: [SourceClone.Content]
        let target: FilePath
    }

    /// - Parameters:
    ///   - sources: those that are pinned, by number.
    ///   - place: a folder in which sources are mounted.
    init(
        _ mount: OCIConfiguration.Mount, at index: Int, _ sources: [Int: PinnedSources.Source], place: String
    ) throws(RuntimeError) {
        self.index = index
        do {
            let layers = try OverlayLayers(options: mount.options)
            above = try Self.above(layers, sources, target: FilePath("\(place)/\(index)-changes"))
            var replacements: [Int: String] = [:]
            var folders: [(PinnedSources.Source, FilePath)] = []
            let changed = [layers.upperNumber, layers.workNumber]
            if let above {
                for (number, content) in zip(changed, above.contents) {
                    if let number { replacements[number] = "\(above.target)\(content.path.isEmpty ? "" : "/")\(content.path)" }
                }
            }
            for (number, source) in sources.sorted(by: { $0.key < $1.key }) where replacements[number] == nil {
                let target = FilePath("\(place)/\(index)-\(number)")
                replacements[number] = target.string
                folders.append((source, target))
            }
            self.folders = folders
            options = try OverlayLayers.options(mount.options, replacing: replacements)
        } catch let error as SystemError {
            throw RuntimeError(
                .hostRefused, "the folders of the overlay at \(quoted(mount.cleanedDestination)) cannot be prepared: \(error)",
                cause: error)
        } catch {
            throw RuntimeError(
                .badBundle, "the mount at \(quoted(mount.cleanedDestination)) cannot be prepared: it is \(error)", cause: error)
        }
    }

    /// - Returns: nil if neither is pinned, one is missing, or they are on two mounts, which the kernel refuses.
    private static func above(
        _ layers: OverlayLayers, _ sources: [Int: PinnedSources.Source], target: FilePath
    ) throws(SystemError) -> FolderAbove? {
        guard let upper = layers.upper, let work = layers.work, let upperNumber = layers.upperNumber, let workNumber = layers.workNumber,
            sources[upperNumber] != nil || sources[workNumber] != nil
        else { return nil }
        var pair: [PinnedSources.Source] = []
        // A folder that plugins are not asked about is the engine's own, and is not pinned yet.
        for (number, path) in [(upperNumber, upper), (workNumber, work)] {
            if let source = sources[number] { pair.append(source) } else { pair.append(try PinnedSources.Source(at: path)) }
        }
        guard let first = pair[0].file, let second = pair[1].file else { return nil }
        let mount = try first.mountID()
        guard try second.mountID() == mount else { return nil }
        let paths = [LexicalPath.components(of: try first.path()), LexicalPath.components(of: try second.path())]
        let shared = zip(paths[0], paths[1]).prefix { $0.0.utf8.elementsEqual($0.1.utf8) }.count
        let path = "/" + paths[0][..<shared].joined(separator: "/")
        let folder = try PinnedFile(at: path)
        guard try folder.mountID() == mount else {
            throw SystemError(
                "open", .noSuchFileOrDirectory, on: path, hint: "it has been replaced since the plugins were asked; start again")
        }
        let contents = zip(zip(pair, paths), [first, second]).map { one, file in
            SourceClone.Content(path: one.1[shared...].joined(separator: "/"), name: one.0.path, file: file)
        }
        return FolderAbove(file: folder, contents: contents, target: target)
    }

    /// Mounts of the folders, from the namespace in which they are.
    func clones() throws(SystemError) -> [SourceClone] {
        var clones: [SourceClone] = []
        for (source, target) in folders {
            if let file = try source.fileIfThere() { clones.append(try SourceClone(of: file, recursively: true, target: target)) }
        }
        guard let above else { return clones }
        var clone: SourceClone
        do throws(SystemError) {
            // Not recursive: mounts below the folder are no part of an overlay.
            clone = try SourceClone(of: above.file, recursively: false, target: above.target)
        } catch  where error.errno == .invalidArgument {
            // The kernel refuses to reveal what is below a mount of another user namespace.
            clone = try SourceClone(of: above.file, recursively: true, target: above.target)
        }
        clone.contents = above.contents
        return clones + [clone]
    }
}

extension PinnedSources.Source {
    /// - Returns: nil if nothing is there.
    /// - Throws: `SystemError` if it is not known whether something is there.
    func fileIfThere() throws(SystemError) -> PinnedFile? {
        if let failure, failure.errno != .noSuchFileOrDirectory, failure.errno != .notDirectory { throw failure }
        return file
    }
}
