// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// Where the plugins keep what they have, and trees to mount: all on the file system of this program's folder.
struct PluginFolders {
    /// mountpoint-plugin, as `make install` leaves it.
    let program: String
    /// A folder for trees.
    let trees: String
    let state: String
    /// For what this program mounts itself.
    let places: String

    init(_ settings: PluginSettings, in folder: String) throws {
        program = folder + "/mountpoint-plugin"
        trees = folder + "/srv"
        state = folder + "/state"
        places = folder + "/places"
        try run("strip", ["-o", program, settings.plugin])
        try run("mkdir", ["-p", trees, state, places, "/run/docker/plugins", "/etc/docker/mountpoint-plugin"])
    }

    /// An empty folder of the owner of all trees, in the place of what was there.
    func makeTree(_ name: String) throws -> String {
        let path = "\(trees)/\(name)"
        try run("rm", ["-rf", path])
        try makeFolder(path)
        chown(path, Tree.owner, Tree.owner)
        return path
    }

    /// A place for a mount.
    func makePlace(_ name: String) throws -> String {
        let path = "\(places)/\(name)"
        try makeFolder(path)
        return path
    }
}

/// Trees of small files.
enum Tree {
    /// Of all that is made here, until a plugin changes that.
    static let owner: uid_t = 1000
    /// Bytes of a small file.
    static let size = 4096
    /// In one folder.
    private static let most = 1000

    /// The paths of so many small files.
    static func paths(_ count: Int, below folder: String) -> [String] {
        (0..<count).map { "\(folder)/\($0 / most)/file-\($0)" }
    }

    /// Makes small files, or writes them again.
    ///
    /// - Parameters:
    ///   - byte: of their content.
    ///   - replacing: each is made under another name and renamed, as editors do it. Else a layer would first copy each, and sync it.
    static func write(
        _ count: Int, below folder: String, byte: UInt8 = 1, owner: uid_t = Tree.owner, replacing: Bool = false
    ) throws {
        let content = [UInt8](repeating: byte, count: size)
        for (index, path) in paths(count, below: folder).enumerated() {
            if index % most == 0 {
                try makeFolder("\(folder)/\(index / most)")
                chown("\(folder)/\(index / most)", owner, owner)
            }
            let first = replacing ? path + "~" : path
            let file = open(first, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard file >= 0, Glibc.write(file, content, size) == size else { throw BenchmarkError("\(path): \(lastError())") }
            fchown(file, owner, owner)
            close(file)
            if replacing && rename(first, path) != 0 { throw BenchmarkError("\(path): \(lastError())") }
        }
    }
}

/// Reads files, so that their contents are in memory.
func readAll(below folder: String) throws { try run("sh", ["-ec", #"find "$1" -type f -exec cat {} + >/dev/null"#, "sh", folder]) }

/// Waits until all that was written below it is on the disk.
func syncAll(_ folder: String) throws { try run("sync", ["--file-system", folder]) }
