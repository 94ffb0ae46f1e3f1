// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LexicalPaths
import LinuxSystem
import SystemPackage

/// What of a host decides about a mount, besides the mount itself.
struct PolicySurroundings: Sendable {
    /// Every path of the host that shows what the mount shows.
    var shown: [String]
    /// The same of each mount below its source.
    var below: [[String]] = []
    /// Where plugins have mounted something for a container: what is there is not theirs.
    var placed: [String] = []
    /// Nil if they cannot be read.
    var homes: Homes?
    /// Of a home, by its path.
    var owner: @Sendable (String) -> UInt32? = { _ in nil }

    /// More mounts below a source than this are no answer.
    private static let limit = 4096

    init(shown: [String]) { self.shown = shown }

    /// Reads the mount table and /etc/passwd.
    ///
    /// - Parameters:
    ///   - looksBelow: whether mounts below the source are looked for.
    ///   - state: the folder in which plugins have theirs.
    /// - Throws: `PluginError`, in which case nobody can say what the mount would show.
    init(of mount: MountPoint, looksBelow: Bool, state: FilePath) throws(PluginError) {
        let table = try HostPaths()
        placed = table.mountPoints(below: [state.string]).map(\.mountPoint)
        // A host that does not know this member leaves it out.
        shown = mount.origin.isEmpty ? try table.paths(showing: mount.effectiveSource) : mount.origin
        if looksBelow {
            let mounts = table.mountPoints(below: shown)
            guard mounts.count <= Self.limit else {
                throw PluginError(
                    "\(mount.destination): more than \(Self.limit) mounts lie below \(mount.shownSource); nobody looks through them")
            }
            for point in mounts { below.append(try table.paths(at: point)) }
        }
        homes = try? Homes.ofHost()
        owner = { path in try? LinuxSystem.owner(of: FilePath(path)) }
    }
}

/// The mount table of this host, and which paths show the same.
struct HostPaths: Sendable {
    private let table: MountTable
    private let origins: MountOrigins
    private static let limit = 64 << 20

    init() throws(PluginError) {
        do throws(SystemError) {
            let bytes = try readWholeFile("/proc/self/mountinfo", limit: Self.limit)
            table = MountTable(parsing: bytes)
            // NFS says `/` of every root; the path on the server is in the source. fs/nfs/super.c.
            origins = MountOrigins(parsing: bytes, typesWithPathInSource: ["nfs", "nfs4"])
        } catch {
            throw PluginError("cannot tell what a mount would show: \(error)")
        }
    }

    /// Links in the path are followed.
    func paths(showing path: String) throws(PluginError) -> [String] {
        try paths(at: resolvingSymbolicLinks(FilePath(path)).string, on: nil)
    }

    /// - Parameter mount: of this table.
    func paths(at mount: MountTableEntry) throws(PluginError) -> [String] { try paths(at: mount.mountPoint, on: mount.mountID) }

    private func paths(at path: String, on mount: Int?) throws(PluginError) -> [String] {
        var isUnknown = false
        let found = origins.paths(showing: Array(path.utf8), on: mount) { layer, isOfRoot in
            guard layer.first == UInt8(ascii: "/"), !origins.mayBlock(layer) else {
                if !isOfRoot { isUnknown = true }
                return nil
            }
            return Array(resolvingSymbolicLinks(FilePath(String(decoding: layer, as: UTF8.self))).string.utf8)
        }
        guard let found else { throw PluginError("\(path) is mounted at more than \(MountOrigins.limit) places; unmount some") }
        let paths = found.map { String(decoding: $0, as: UTF8.self) }
        // What it shows cannot be told, so it may be anything.
        return isUnknown ? paths + ["/"] : paths
    }

    /// What is mounted below these paths.
    func mountPoints(below paths: [String]) -> [MountTableEntry] {
        table.entries.filter { entry in
            paths.contains {
                LexicalPath.isSame($0, orAbove: entry.mountPoint) && !LexicalPath.absolute($0).hasSameBytes(as: entry.mountPoint)
            }
        }
    }
}
