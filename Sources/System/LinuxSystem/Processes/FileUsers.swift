// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage

/// A process that has something of a folder open, or works in it.
public struct FileUser: Sendable, Equatable, CustomStringConvertible {
    public var process: Int32
    /// The command's name, at most 15 bytes; empty if the process has ended. Chosen by the process itself.
    public var name: String

    public init(_ process: Int32) {
        self.process = process
        let bytes = (try? readWholeFile(FilePath("/proc/\(process)/comm"), limit: 256)) ?? []
        name = String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
    }

    public var description: String { name.isEmpty ? "process \(process)" : "process \(process) (\(name))" }

    /// Who of this host has an open file, a working directory or a program at or below a path. Only reads links of /proc, so nothing of
    /// the file system itself is touched. Files that are only mapped are not seen.
    ///
    /// - Parameters:
    ///   - folder: absolute, as this process sees it.
    ///   - most: the search ends when it has so many.
    ///   - deadline: the search ends there.
    public static func users(below folder: String, most: Int = 5, until deadline: Deadline) -> [FileUser] {
        let (own, path) = (getpid(), Array(folder.utf8))
        var found: [FileUser] = []
        for process in MountNamespace.processes() where process != own {
            if found.count == most || deadline.hasPassed { break }
            if uses(process, path) { found.append(FileUser(process)) }
        }
        return found
    }

    private static func uses(_ process: Int32, _ path: [UInt8]) -> Bool {
        let folder = "/proc/\(process)"
        if ["cwd", "root", "exe"].contains(where: { isBelow(path, link: "\(folder)/\($0)") }) { return true }
        return ((try? namesInFolder(FilePath("\(folder)/fd"))) ?? []).contains { isBelow(path, link: "\(folder)/fd/\($0)") }
    }

    private static func isBelow(_ path: [UInt8], link: String) -> Bool {
        var buffer = [UInt8](repeating: 0, count: path.count + 1)
        let count = readlink(link, &buffer, buffer.count)
        guard count >= path.count, buffer.starts(with: path) else { return false }
        return count == path.count || buffer[path.count] == UInt8(ascii: "/")
    }
}
