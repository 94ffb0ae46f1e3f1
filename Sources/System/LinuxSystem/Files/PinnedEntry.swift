// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// Something below a folder, held open: what is changed is this, whatever gets its name meanwhile.
///
/// It was reached without a symbolic link, and on the folder's own mount. openat2(2), O_PATH, RESOLVE_NO_XDEV, Linux 5.6
public struct PinnedEntry: ~Copyable, Sendable {
    private let descriptor: CInt
    private let folder: OpenFolder
    private let name: EntryName?

    /// - Parameter name: nil for the folder itself.
    /// - Throws: `SystemError`; `EXDEV` if something is mounted there.
    public init(_ name: EntryName?, in folder: OpenFolder) throws(SystemError) {
        self.folder = folder
        self.name = name
        descriptor = try systemCall("openat2", on: Self.text(name, folder)) {
            CLinux_open_entry(folder.descriptor, name?.terminated ?? [CChar(UInt8(ascii: ".")), 0])
        }
    }

    deinit { close(descriptor) }

    private static func text(_ name: EntryName?, _ folder: OpenFolder) -> String { name.map(folder.path(of:)) ?? folder.text }

    private var text: String { Self.text(name, folder) }

    /// statx(2)
    public func status() throws(SystemError) -> EntryStatus {
        var found = CLinux_status()
        try systemCall("statx", on: text) { CLinux_status_of(descriptor, "", &found) }
        return EntryStatus(found)
    }

    /// fchownat(2), also of a symbolic link itself. The kernel takes set-uid, set-gid and capabilities of a file away.
    public func setOwner(user: UInt32, group: UInt32) throws(SystemError) {
        try systemCall("fchownat", on: text) { fchownat(descriptor, "", user, group, CLINUX_AT_EMPTY_PATH) }
    }

    /// Of what is no symbolic link. chmod(2) of `/proc/self/fd/N`
    public func setMode(to mode: UInt32) throws(SystemError) {
        try systemCall("chmod", on: text) { chmod("/proc/self/fd/\(descriptor)", mode_t(mode & 0o7777)) }
    }

    /// Of what is no symbolic link. getxattr(2) of `/proc/self/fd/N`
    ///
    /// - Parameter limit: bytes; `ERANGE` for a longer one.
    /// - Returns: nil if there is none of that key, or its file system has no such attributes.
    public func attribute(_ key: String, limit: Int = 256) throws(SystemError) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: limit)
        do throws(SystemError) {
            let count = try systemCall("getxattr", on: "\(key) of \(text)") {
                CLinux_get_own_attribute(descriptor, key, &value, value.count)
            }
            return Array(value.prefix(count))
        } catch {
            if error.errno == .noData || error.errno == .notSupported { return nil }
            throw error
        }
    }

    /// Of what is no symbolic link. setxattr(2) of `/proc/self/fd/N`
    public func setAttribute(_ key: String, to value: [UInt8]) throws(SystemError) {
        try systemCall("setxattr", on: "\(key) of \(text)") { CLinux_set_own_attribute(descriptor, key, value, value.count) }
    }

    /// Whether its file system is an overlay, where a file is made anew when it is changed for the first time: another time of birth, and
    /// perhaps another inode. fstatfs(2)
    public func isOnOverlay() throws(SystemError) -> Bool {
        try systemCall("fstatfs", on: text) { CLinux_is_overlay(descriptor) } == 1
    }
}

/// A folder below another, on the same mount, reached without a symbolic link. openat2(2), O_PATH, RESOLVE_NO_XDEV, Linux 5.6
///
/// - Parameter path: the names that lead to it; none for the other itself. They may be longer together than a path can be.
/// - Throws: `SystemError`; `EXDEV` if something is mounted on the way.
public func openFolder(_ path: [EntryName], below folder: OpenFolder) throws(SystemError) -> OpenFolder {
    let text = path.reduce(folder.text) { $0.utf8.last == UInt8(ascii: "/") ? $0 + $1.text : "\($0)/\($1.text)" }
    var current: OpenFolder = folder
    var rest = path[...]
    repeat {
        var piece: [CChar] = rest.isEmpty ? [CChar(UInt8(ascii: "."))] : []
        while let name = rest.first, piece.count + name.terminated.count < Int(PATH_MAX) {
            piece += (piece.isEmpty ? [] : [CChar(UInt8(ascii: "/"))]) + name.terminated.dropLast()
            rest = rest.dropFirst()
        }
        piece.append(0)
        current = OpenFolder(owning: try systemCall("openat2", on: text) { CLinux_open_inside(current.descriptor, piece) }, text)
    } while !rest.isEmpty
    return current
}
