// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage

/// Finds the paths that show the same files as a container's sources.
///
/// Only the mount table is read, so that a server that does not answer cannot delay a container. The one exception is the layers of an
/// overlay, which are looked up, in local file systems only. If the paths are not known, `/` is added, so that every plugin that guards a
/// path is asked.
enum SourceOrigins {
    struct Source {
        /// As plugins are shown it.
        let path: String
        /// What was found there; nil if there was nothing.
        let file: PinnedFile?
    }

    /// Reads the mount table once for all sources, and again if mounts are moved meanwhile.
    ///
    /// - Returns: for each source its path, then the others sorted by their bytes.
    /// - Throws: `RuntimeError` if the table cannot be read, something is moved again and again, or a source has too many paths.
    static func find(_ sources: [Source]) throws(RuntimeError) -> [[String]] {
        if sources.isEmpty { return [] }
        for attempt in 1...attempts {
            let table: MountOrigins
            do throws(SystemError) {
                // NFS says `/` of every root; the path on the server is in the source. fs/nfs/super.c.
                table = try MountOrigins(
                    parsing: readWholeFile("/proc/self/mountinfo", limit: 64 << 20), typesWithPathInSource: ["nfs", "nfs4"])
            } catch {
                throw RuntimeError(.local, "cannot tell plugins what else shows the sources of mounts: \(error)", cause: error)
            }
            var origins: [[String]] = []
            for source in sources {
                guard let origin = try origin(of: source, table, isLast: attempt == attempts) else { break }
                origins.append(origin)
            }
            if origins.count == sources.count { return origins }
        }
        throw RuntimeError(
            .hostRefused,
            "cannot tell plugins what else shows the sources of mounts, since folders above them are moved all the time; start again")
    }

    private static let attempts = 16

    /// - Returns: nil if mounts were moved between reading the table and the path.
    private static func origin(of source: Source, _ table: MountOrigins, isLast: Bool) throws(RuntimeError) -> [String]? {
        // A tmpfs mount has no source.
        if source.path.isEmpty { return [] }
        // A missing source that a plugin gave may be a link; it will be created where the link leads.
        var path = Array((source.file == nil ? resolvingSymbolicLinks(FilePath(source.path)).string : source.path).utf8)
        var mount: Int?
        var isUnknown = false
        // A source that was removed or has no path, such as a namespace, keeps the path that led to it.
        if let file = source.file, let now = try? file.pathBytes(), now.first == UInt8(ascii: "/"), let id = try? file.mountID() {
            switch table.agrees(with: now, on: id) {
            case true?:
                path = now
                mount = id
            case false?: return nil
            // The mount may be newer than the table. If it is missing in the last attempt too, it is outside of this process's root or
            // attached nowhere.
            case nil:
                if !isLast { return nil }
                isUnknown = true
            }
        }
        let found = table.paths(showing: path, on: mount) { layer, isOfRoot in
            let resolved = resolvingLayer(layer, table)
            // The place of the root is known to be `/`. Its layers may be on the host of an outer container.
            if !isOfRoot && (resolved == nil || table.mayBlock(resolved ?? [])) { isUnknown = true }
            return resolved
        }
        guard let found else {
            throw RuntimeError(
                .hostRefused,
                "cannot tell plugins what else shows \(source.path): it is mounted at more than \(MountOrigins.limit) places; unmount some")
        }
        let slash = [UInt8(ascii: "/")]
        let all = isUnknown && !found.contains(slash) ? [path, slash] + found.dropFirst() : found
        let others = all.map { String(decoding: $0, as: UTF8.self) }.filter { !$0.utf8.elementsEqual(source.path.utf8) }
        return [source.path] + others
    }

    /// Follows the symbolic links in a path as far as it is in local file systems. readlink(2).
    ///
    /// - Returns: nil if the path is relative or does not exist here: the overlay may have been mounted in another namespace, or the layer
    ///   was removed.
    private static func resolvingLayer(_ path: [UInt8], _ table: MountOrigins) -> [UInt8]? {
        let slash = UInt8(ascii: "/")
        if path.first != slash { return nil }
        var resolved: [[UInt8]] = []
        var rest = path.split(separator: slash).map(Array.init)
        var links = 0
        while !rest.isEmpty {
            let name = rest.removeFirst()
            if name.elementsEqual(".".utf8) { continue }
            if name.elementsEqual("..".utf8) {
                _ = resolved.popLast()
                continue
            }
            resolved.append(name)
            let here = [slash] + resolved.joined(separator: [slash])
            if table.mayBlock(here) { return here + rest.flatMap { [slash] + $0 } }
            var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let count = readlink((here + [0]).map(CChar.init(bitPattern:)), &target, target.count)
            if count < 0 {
                // The file is not a link.
                if errno == EINVAL { continue }
                return nil
            }
            links += 1
            // As many as the kernel follows. path_resolution(7).
            if links > 40 { return nil }
            if target.first == slash { resolved.removeAll() } else { resolved.removeLast() }
            rest = target[..<count].split(separator: slash).map(Array.init) + rest
        }
        return [slash] + resolved.joined(separator: [slash])
    }
}
