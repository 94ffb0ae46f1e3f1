// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// A folder that is held open: a name is looked up in it, whatever becomes of the path that led there.
public final class OpenFolder: Sendable {
    let descriptor: CInt
    /// How it was reached, for messages.
    public let text: String

    init(owning descriptor: CInt, _ text: String) {
        self.descriptor = descriptor
        self.text = text
    }

    /// Follows symbolic links, `..` after one included, as chdir(2) does.
    ///
    /// - Parameter path: its bytes are kept, also if they are not UTF-8; empty for the working directory.
    /// - Throws: `SystemError` of open(2), O_PATH.
    public convenience init(at path: FilePath) throws(SystemError) {
        let path = path.isEmpty ? FilePath(".") : path
        let flags = CLINUX_O_PATH | O_DIRECTORY | O_CLOEXEC
        self.init(owning: try systemCall("open", on: path.string) { path.withPlatformString { open($0, flags) } }, path.string)
    }

    /// One in a folder, and never what a symbolic link of that name leads to. openat(2), O_PATH, O_NOFOLLOW.
    ///
    /// - Throws: `SystemError`; `ENOTDIR` if it is something else.
    public convenience init(_ name: EntryName, in folder: OpenFolder) throws(SystemError) {
        let flags = CLINUX_O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        let text = folder.path(of: name)
        self.init(owning: try systemCall("openat", on: text) { openat(folder.descriptor, name.terminated, flags) }, text)
    }

    deinit { Glibc.close(descriptor) }

    /// The same folder for another thread: what several refer to is counted by all of them. fcntl(2), F_DUPFD_CLOEXEC
    public func duplicate() throws(SystemError) -> OpenFolder {
        OpenFolder(owning: try systemCall("fcntl", on: text) { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }, text)
    }

    /// Its absolute path without links, as the kernel has it now. proc(5), /proc/self/fd
    public func path() throws(SystemError) -> FilePath {
        let link = "/proc/self/fd/\(descriptor)"
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = try systemCall("readlink", on: link) { readlink(link, &buffer, buffer.count - 1) }
        buffer[count] = 0
        return buffer.withUnsafeBufferPointer { bytes in bytes.baseAddress.map { FilePath(platformString: $0) } ?? FilePath("/") }
    }

    /// For messages.
    func path(of name: EntryName) -> String { text.utf8.last == UInt8(ascii: "/") ? text + name.text : "\(text)/\(name.text)" }

    /// A descriptor of its own, for calls that O_PATH does not do.
    private func withReadable(_ body: (CInt) throws(SystemError) -> Void) throws(SystemError) {
        let readable = try systemCall("openat", on: text) { openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { Glibc.close(readable) }
        try body(readable)
    }

    /// What of its names and of what they name was changed is on the disk after it. fsync(2)
    public func sync() throws(SystemError) {
        try withReadable { (readable) throws(SystemError) in _ = try systemCall("fsync", on: text) { fsync(readable) } }
    }

    /// All that was written to its file system is on the disk after it. syncfs(2)
    ///
    /// - Throws: `SystemError`; since Linux 5.8 also for a write of before that failed.
    public func syncFileSystem() throws(SystemError) {
        try withReadable { (readable) throws(SystemError) in _ = try systemCall("syncfs", on: text) { CLinux_sync_file_system(readable) } }
    }

    /// All names in it but `.` and `..`, in the order of their inodes, in which a file system has them on the disk: whoever changes all of
    /// them changes what lies side by side one after the other. readdir(3)
    public func names() throws(SystemError) -> [EntryName] {
        var names: [EntryName] = []
        var order: [(inode: UInt64, index: Int)] = []
        try visitEntries(atMost: .max) { name, _, inode in
            guard let name = EntryName(terminated: name) else { return }
            order.append((inode, names.count))
            names.append(name)
        }
        return order.sorted { $0.inode < $1.inode }.map { names[$0.index] }
    }

    /// Names of some kinds, as far as the folder itself tells: by readdir(3) alone. What is of no such kind costs next to nothing.
    ///
    /// - Parameter limit: entries that are looked at.
    /// - Returns: what was found, and how many entries were looked at. A file system that does not tell kinds has nothing to be found.
    public func names(
        of kinds: [EntryStatus.Kind], atMost limit: Int
    ) throws(SystemError) -> (found: [(name: EntryName, kind: EntryStatus.Kind)], count: Int) {
        var found: [(name: EntryName, kind: EntryStatus.Kind)] = []
        let count = try visitEntries(atMost: limit) { name, type, _ in
            let kind = EntryStatus.Kind(type: type)
            if kinds.contains(kind), let name = EntryName(terminated: name) { found.append((name, kind)) }
        }
        return (found, count)
    }

    @discardableResult
    private func visitEntries(atMost limit: Int, _ visit: EntryVisit) throws(SystemError) -> Int {
        let readable = try systemCall("openat", on: text) { openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        return try readFolder(readable, text, atMost: limit, visit)
    }
}

private typealias EntryVisit = (_ name: UnsafePointer<CChar>, _ type: UInt8, _ inode: UInt64) -> Void

/// Closes the folder.
///
/// - Returns: how many entries were shown, `.` and `..` included.
private func readFolder(_ readable: CInt, _ text: String, atMost limit: Int, _ visit: EntryVisit) throws(SystemError) -> Int {
    guard let stream = fdopendir(readable) else {
        let error = SystemError("fdopendir", .current, on: text)
        close(readable)
        throw error
    }
    defer { closedir(stream) }
    var count = 0
    while count < limit {
        errno = 0
        guard let entry = readdir(stream) else {
            // Zero at the end of the folder.
            if errno == 0 { break }
            throw SystemError("readdir", .current, on: text)
        }
        count += 1
        // The record is as long as the name needs, so that nothing of it is copied as a whole.
        let start = UnsafeRawPointer(entry) + (MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
        visit(start.assumingMemoryBound(to: CChar.self), entry.pointee.d_type, UInt64(entry.pointee.d_ino))
    }
    return count
}

extension EntryStatus.Kind {
    /// As readdir(3) has it; `other` where a file system does not tell.
    fileprivate init(type: UInt8) {
        self =
            switch Int(type) {
            case DT_REG: .file
            case DT_DIR: .folder
            case DT_LNK: .link
            case DT_SOCK: .socket
            case DT_FIFO: .fifo
            case DT_CHR: .characterDevice
            case DT_BLK: .blockDevice
            default: .other
            }
    }
}

/// A name in a folder: any bytes but a zero and a slash, and neither `.` nor `..`.
public struct EntryName: Sendable, Hashable, Comparable {
    /// With a zero behind them.
    let terminated: [CChar]

    public init?(bytes: some Sequence<UInt8>) {
        var terminated: [CChar] = []
        for byte in bytes {
            if byte == 0 || byte == UInt8(ascii: "/") { return nil }
            terminated.append(CChar(bitPattern: byte))
        }
        let dot = CChar(UInt8(ascii: "."))
        if terminated.isEmpty || terminated == [dot] || terminated == [dot, dot] { return nil }
        self.terminated = terminated + [0]
    }

    public init?(_ text: String) { self.init(bytes: text.utf8) }

    /// As the kernel gives it. Nil for `.` and `..`.
    init?(terminated name: UnsafePointer<CChar>) {
        let count = strlen(name)
        let dot = CChar(UInt8(ascii: "."))
        if count == 0 || name[0] == dot && (count == 1 || count == 2 && name[1] == dot) { return nil }
        if memchr(name, CInt(UInt8(ascii: "/")), count) != nil { return nil }
        terminated = Array(UnsafeBufferPointer(start: name, count: count + 1))
    }

    public var bytes: [UInt8] { terminated.withUnsafeBytes { Array($0.dropLast()) } }

    /// For people: what is not UTF-8 is replaced.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// By bytes.
    public static func < (one: EntryName, other: EntryName) -> Bool {
        one.terminated.lexicographicallyPrecedes(other.terminated) { UInt8(bitPattern: $0) < UInt8(bitPattern: $1) }
    }
}
