// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths
import LinuxSystem
import OCIRuntime
import SystemPackage

/// The sources of a container's interposed mounts, each pinned by an open descriptor from its look-up until it is mounted.
///
/// A user who can write to a folder above a path can replace what is there at any time. So each path is looked up once, plugins are shown
/// what was found, and that is mounted.
final class PinnedSources {
    struct Source {
        /// The path by which it was looked up.
        let path: String
        /// Its path without symbolic links.
        let text: String
        /// nil if there was nothing.
        let file: PinnedFile?
        /// Why there was nothing.
        let failure: SystemError?
        /// Whether a plugin has given it, in place of the source in config.json.
        var isGiven = false
        /// Whether it had been moved or removed before plugins were asked about it.
        var isAstray = false

        /// - Throws: `SystemError` if it is replaced again and again.
        init(at path: String) throws(SystemError) {
            self.path = path
            for _ in 0..<Self.attempts {
                let file: PinnedFile
                do throws(SystemError) {
                    file = try PinnedFile(at: path)
                } catch {
                    self.file = nil
                    failure = error
                    text = resolvingSymbolicLinks(FilePath(path)).string
                    return
                }
                do throws(SystemError) {
                    let found = try file.path()
                    // A namespace or the like has no path in any folder, so the text that led to it is kept.
                    text = found.utf8.first == UInt8(ascii: "/") ? found : resolvingSymbolicLinks(FilePath(path)).string
                } catch  where error.errno == .noSuchFileOrDirectory {
                    // Programs replace a file by renaming another one over it.
                    continue
                }
                self.file = file
                failure = nil
                return
            }
            throw SystemError("open", .noSuchFileOrDirectory, on: path, hint: "it is replaced all the time")
        }

        private static let attempts = 16
    }

    /// The owner of a source: a mount, or a folder of an overlay.
    private struct Owner: Hashable {
        /// Index in config.json.
        let mount: Int
        /// Which folder of the overlay.
        var layer: Int?
    }

    private var pinned: [Owner: Source] = [:]

    /// Of all but overlays, by the mount's index in config.json.
    var sources: [Int: Source] {
        Dictionary(uniqueKeysWithValues: pinned.filter { $0.key.layer == nil }.map { ($0.key.mount, $0.value) })
    }

    /// Of overlays, by the mount's index in config.json and the number of the folder. Not every folder of an overlay need be pinned.
    var layers: [Int: [Int: Source]] {
        var layers: [Int: [Int: Source]] = [:]
        for (owner, source) in pinned {
            if let layer = owner.layer { layers[owner.mount, default: [:]][layer] = source }
        }
        return layers
    }

    /// - Parameter layer: which folder of an overlay.
    func source(of mount: Int, layer: Int?) -> Source? { pinned[Owner(mount: mount, layer: layer)] }

    /// Looks a source up. A missing source is not an error: the engine or a plugin may still create it, and otherwise the delegate runtime
    /// reports it.
    ///
    /// - Parameter layer: which folder of an overlay.
    /// - Returns: the path that plugins are shown.
    func pin(_ path: String, of mount: Int, layer: Int? = nil) throws(RuntimeError) -> String {
        do throws(SystemError) {
            let source = try Source(at: path)
            pinned[Owner(mount: mount, layer: layer)] = source
            return source.text
        } catch {
            throw RuntimeError(.hostRefused, "the source of a mount cannot be looked up: \(error)", cause: error)
        }
    }

    /// Replaces a source by one that a plugin has given.
    func replace(_ mount: Int, with source: Source) {
        pinned[Owner(mount: mount)] = source
        pinned[Owner(mount: mount)]?.isGiven = true
    }

    /// Marks the sources that have been moved or removed before the first plugin is asked.
    func lookForStrays() {
        for (owner, source) in pinned {
            guard let file = source.file else { continue }
            pinned[owner]?.isAstray = (try? isAt(source.text, file)) != true
        }
    }

    /// Looks a source up again after a plugin has attached the mount without giving another source. The plugin may have mounted something
    /// there, or created a missing source. Any other change did not come from the plugin, so it is an error.
    ///
    /// - Parameter layer: which folder of an overlay.
    /// - Throws: `RuntimeError` if the source has been moved or removed, so that the container would not get what the plugin has made.
    func lookAgain(_ mount: Int, layer: Int? = nil, at destination: String, after plugins: String) throws(RuntimeError) {
        let owner = Owner(mount: mount, layer: layer)
        guard let before = pinned[owner], !before.isAstray else { return }
        do throws(SystemError) {
            guard let file = before.file else {
                let now = try Source(at: before.path)
                // Not through a link: the source must have been created at the path that was missing.
                if now.file != nil && LexicalPath.areSame(now.text, before.text) { keep(now, of: owner) }
                return
            }
            guard try isAt(before.text, file) else { throw SystemError("readlink", .noSuchFileOrDirectory, on: before.text) }
            let now = try Source(at: before.path)
            guard let covering = now.file, LexicalPath.areSame(now.text, before.text) else { return }
            guard try Self.covers(covering, file, at: before.text) else { return }
            if try isAt(before.text, file) { keep(now, of: owner) }
        } catch  where error.errno == .noSuchFileOrDirectory {
            throw RuntimeError(
                .hostRefused,
                "the source \(before.text) of the mount at \(destination) was moved or replaced while \(plugins) attached it, so the "
                    + "container would get what was there before; a plugin must change a source in place"
                    + (layer == nil ? ", or give another one as EffectiveSource" : ""),
                cause: error)
        } catch {
            throw RuntimeError(
                .hostRefused, "the source of the mount at \(destination) cannot be looked up again: \(error)", cause: error)
        }
    }

    private func keep(_ source: Source, of owner: Owner) {
        let isGiven = pinned[owner]?.isGiven ?? false
        pinned[owner] = source
        pinned[owner]?.isGiven = isGiven
    }

    private func isAt(_ text: String, _ file: PinnedFile) throws(SystemError) -> Bool {
        let now = try file.path()
        return now.utf8.first != UInt8(ascii: "/") || LexicalPath.areSame(now, text)
    }

    /// Whether a file is on a mount that has been mounted over another file, or over what is mounted there.
    private static func covers(_ upper: PinnedFile, _ lower: PinnedFile, at path: String) throws(SystemError) -> Bool {
        let bottom = try lower.mountID()
        var mount = try upper.mountID()
        if mount == bottom { return false }
        let entries = try MountTable().entries
        while let entry = entries.first(where: { $0.mountID == mount }), LexicalPath.areSame(entry.mountPoint, path) {
            if entry.parentID == bottom { return true }
            mount = entry.parentID
        }
        return false
    }

    /// Closes all descriptors, so that a plugin that is asked to detach can unmount a source.
    func release() {
        for source in pinned.values { source.file?.close() }
    }
}
