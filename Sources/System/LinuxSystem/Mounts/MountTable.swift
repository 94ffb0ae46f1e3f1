// SPDX-License-Identifier: AGPL-3.0-or-later

import SystemPackage

/// One line of mountinfo: a mount as the kernel sees it. proc_pid_mountinfo(5).
public struct MountTableEntry: Sendable, Equatable {
    public var mountID: Int
    public var parentID: Int
    /// The superblock's device as `major:minor`.
    public var device: String
    /// The part of the file system that is mounted, `/` for all of it.
    public var root: String
    public var mountPoint: String
    /// Per-mount options, such as `ro`, `noatime`.
    public var options: [String]
    /// Optional fields, such as `shared:12`, `master:3`.
    public var propagation: [String]
    public var fileSystem: String
    public var source: String
    /// Options of the superblock; of a network file system also what was negotiated, such as `vers=4.1`, `addr=…`.
    public var superblockOptions: [String]

    /// The value of `key=value` among the superblock's options.
    public func value(of key: String) -> String? {
        for option in superblockOptions where option.hasBytePrefix(key + "=") {
            return String(decoding: option.utf8.dropFirst(key.utf8.count + 1), as: UTF8.self)
        }
        return nil
    }
}

/// The mounts of a mount namespace, in the kernel's order (a later entry at the same place covers an earlier one).
public struct MountTable: Sendable {
    public var entries: [MountTableEntry]

    /// Reads `/proc/<process>/mountinfo`. Never touches a mounted file system.
    ///
    /// - Parameter process: a process id, or nil for this process.
    /// - Throws: `SystemError` of open(2) or read(2); `ENOENT` or `ESRCH` where the process has ended.
    public init(of process: CInt? = nil) throws(SystemError) {
        let path = "/proc/\(process.map(String.init) ?? "self")/mountinfo"
        self.init(parsing: try readWholeFile(FilePath(path), limit: 64 << 20))
    }

    /// Parses mountinfo's text; lines that do not have its form are passed over.
    public init(parsing bytes: [UInt8]) {
        entries = bytes.split(separator: UInt8(ascii: "\n")).compactMap(Self.entry)
    }

    /// What is mounted on top at exactly this path, for this process. Of a long table only this one line is taken apart.
    ///
    /// - Throws: `SystemError` of open(2) or read(2).
    public static func topmost(at path: String) throws(SystemError) -> MountTableEntry? {
        let wanted = escape(path)
        var rest = try readWholeFile("/proc/self/mountinfo", limit: 64 << 20)[...]
        while !rest.isEmpty {
            if rest.last == UInt8(ascii: "\n") { rest.removeLast() }
            let start = rest.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.startIndex
            let line = rest[start...]
            if mountPoint(of: line)?.elementsEqual(wanted) == true, let entry = entry(line) { return entry }
            rest = rest[..<start]
        }
        return nil
    }

    /// The fifth field, as the kernel writes it.
    private static func mountPoint(of line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var start = line.startIndex
        for _ in 0..<4 {
            guard let space = line[start...].firstIndex(of: UInt8(ascii: " ")) else { return nil }
            start = space + 1
        }
        guard let end = line[start...].firstIndex(of: UInt8(ascii: " ")) else { return nil }
        return line[start..<end]
    }

    private static func escape(_ path: String) -> [UInt8] {
        path.utf8.flatMap { byte -> [UInt8] in
            guard [0x20, 0x09, 0x0a, 0x5c].contains(byte) else { return [byte] }
            return [UInt8(ascii: "\\")] + [byte >> 6, byte >> 3 & 7, byte & 7].map { UInt8(ascii: "0") + $0 }
        }
    }

    /// What is mounted on top at exactly this path.
    public func topmost(at path: String) -> MountTableEntry? { entries.last { $0.mountPoint.hasSameBytes(as: path) } }

    /// Every mount at or below this path.
    public func mounts(below path: String) -> [MountTableEntry] {
        entries.filter { $0.mountPoint.hasSameBytes(as: path) || $0.mountPoint.hasBytePrefix(path + "/") }
    }

    private static func entry(_ line: ArraySlice<UInt8>) -> MountTableEntry? {
        // A source may be empty, and its field is there all the same.
        let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard fields.count >= 9, fields[4].first == UInt8(ascii: "/"),
            let separator = fields[6...].firstIndex(where: { $0.elementsEqual([UInt8(ascii: "-")]) }),
            separator + 2 < fields.count, let id = Int(text(fields[0])), let parent = Int(text(fields[1]))
        else { return nil }
        let superblock = separator + 3 < fields.count ? text(fields[separator + 3]) : ""
        return MountTableEntry(
            mountID: id, parentID: parent, device: text(fields[2]), root: unescape(fields[3]), mountPoint: unescape(fields[4]),
            options: text(fields[5]).split(atByte: ","),
            propagation: fields[6..<separator].map(text),
            fileSystem: text(fields[separator + 1]), source: unescape(fields[separator + 2]),
            superblockOptions: superblock.split(atByte: ","))
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func unescape(_ bytes: ArraySlice<UInt8>) -> String { text(unescapedBytes(bytes)) }

    /// The kernel writes space, tab, newline and backslash as three octal digits; in options the comma and the equals sign, too.
    public static func unescapedBytes(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard bytes.contains(UInt8(ascii: "\\")) else { return bytes }
        var out: ArraySlice<UInt8> = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if bytes[index] == UInt8(ascii: "\\"), index + 3 < bytes.endIndex,
                let code = UInt8(text(bytes[index + 1...index + 3]), radix: 8)
            {
                out.append(code)
                index += 4
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return out
    }
}
