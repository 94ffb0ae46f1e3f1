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

    /// All names in it but `.` and `..`, in no order. readdir(3)
    public func names() throws(SystemError) -> [EntryName] { try entries(atMost: .max).map(\.name) }

    /// Names with what they are, as far as the folder itself tells: by readdir(3) alone.
    ///
    /// - Returns: `other` where a file system does not tell.
    public func kinds(atMost limit: Int) throws(SystemError) -> [(name: EntryName, kind: EntryStatus.Kind)] {
        try entries(atMost: limit).map { name, type in
            switch Int(type) {
            case DT_REG: (name, .file)
            case DT_DIR: (name, .folder)
            case DT_LNK: (name, .link)
            case DT_SOCK: (name, .socket)
            case DT_FIFO: (name, .fifo)
            case DT_CHR: (name, .characterDevice)
            case DT_BLK: (name, .blockDevice)
            default: (name, .other)
            }
        }
    }

    private func entries(atMost limit: Int) throws(SystemError) -> [(name: EntryName, type: UInt8)] {
        let readable = try systemCall("openat", on: text) { openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard let stream = fdopendir(readable) else {
            let error = SystemError("fdopendir", .current, on: text)
            close(readable)
            throw error
        }
        defer { closedir(stream) }
        var entries: [(name: EntryName, type: UInt8)] = []
        while entries.count < limit {
            errno = 0
            guard let entry = readdir(stream) else {
                // Zero at the end of the folder.
                if errno == 0 { break }
                throw SystemError("readdir", .current, on: text)
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { EntryName(bytes: $0.prefix { $0 != 0 }) }
            if let name { entries.append((name, entry.pointee.d_type)) }
        }
        return entries
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

    public var bytes: [UInt8] { terminated.dropLast().map { UInt8(bitPattern: $0) } }

    /// For people: what is not UTF-8 is replaced.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// By bytes.
    public static func < (one: EntryName, other: EntryName) -> Bool {
        one.terminated.lexicographicallyPrecedes(other.terminated) { UInt8(bitPattern: $0) < UInt8(bitPattern: $1) }
    }
}
