// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import OCIRuntime
import SystemPackage

/// What the sources of a container's mounts are, held from the moment at which the plugins saw them.
///
/// A path is only a name: whoever may write to a folder above it can put a link to something else in its place after the plugins
/// have been asked. So what the container has got is compared with what was meant.
struct MountSources {
    private struct Source {
        var path: String
        /// Without links; nil: it was not there.
        var resolved: FilePath?
        var identity: FileIdentity?

        init(_ path: String, _ identity: FileIdentity?) {
            self.path = path
            self.identity = identity
            resolved = identity == nil ? nil : resolvingSymbolicLinks(FilePath(path))
        }
    }

    /// By the mount's index in config.json.
    private var sources: [Int: Source] = [:]

    /// Holds what a path leads to now, if it is there. The engine's own sources may be missing: the runtime says so best.
    mutating func holdIfThere(_ path: String, of mount: Int) {
        sources[mount] = Source(path, try? FileIdentity(at: path))
    }

    /// After a plugin has attached a mount and left its source as it was: it may have mounted something there, or made what was not there
    /// before. Anything else that has changed was not that plugin.
    mutating func holdAgain(_ mount: Int) {
        guard let before = sources[mount] else { return }
        let now = Source(before.path, try? FileIdentity(at: before.path))
        guard let resolved = now.resolved else { return }
        if before.identity == nil || before.resolved == resolved && (try? MountTable.topmost(at: resolved.string)) != nil {
            sources[mount] = now
        }
    }

    /// What a plugin has given.
    mutating func take(_ identity: FileIdentity?, at path: String, of mount: Int) {
        sources[mount] = Source(path, identity)
    }

    /// Compares with what is mounted in the container, before its process starts.
    ///
    /// A mount that a later one covers cannot be looked at and is left out; nobody in the container sees it either.
    ///
    /// - Parameter process: in the container's mount namespace and root.
    /// - Throws: `RuntimeError` naming the mount that is another than was meant.
    func verify(_ mounts: [OCIConfiguration.Mount], in process: Int32) throws(RuntimeError) {
        for (index, source) in sources.sorted(by: { $0.key < $1.key }) {
            let destination = mounts[index].cleanedDestination
            let isCovered = mounts[(index + 1)...].contains { LexicalPath.isSame($0.cleanedDestination, orAbove: destination) }
            if isCovered { continue }
            let mounted: FileIdentity
            do throws(SystemError) {
                mounted = try FileIdentity(at: destination, inRootOf: process)
            } catch  where error.errno == .noFunction {
                // Linux before 5.6 cannot look into another root safely.
                return
            } catch {
                throw RuntimeError("cannot check what is mounted at \(destination): \(error)")
            }
            if let identity = source.identity, identity.isSame(as: mounted) { continue }
            throw RuntimeError(
                "the source \(source.path) of the mount at \(destination) has changed since the plugins were asked; the container is not started"
            )
        }
    }
}

extension LexicalPath {
    /// Whether a cleaned path is the other one, or a folder above it.
    static func isSame(_ path: String, orAbove other: String) -> Bool {
        let path = path.utf8
        let other = other.utf8
        if path.elementsEqual("/".utf8) || path.elementsEqual(other) { return true }
        return other.count > path.count && other.starts(with: path) && other.dropFirst(path.count).first == UInt8(ascii: "/")
    }
}
