// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// What a path led to at one moment, held open: a file, a folder or whatever else, on the mount through which it was reached.
///
/// A process that may write to a folder above it can rename it and put something else in its place. This still names the same file, and
/// says where it is by now. No other process of a program that is run gets the descriptor.
public final class PinnedFile {
    public let isFolder: Bool
    private let operand: String
    private let device: UInt64
    private let inode: UInt64
    fileprivate var descriptor: CInt
    fileprivate var text: String { operand }

    /// Looks a path up, symbolic links followed. open(2), O_PATH.
    ///
    /// Asked for as a folder first: only then what is mounted on demand is mounted, as mount(2) would have it, too.
    public convenience init(at path: String) throws(SystemError) {
        let flags = CLINUX_O_PATH | O_CLOEXEC
        let raw = try systemCall("open", on: path) { () -> CInt in
            let folder = open(path, flags | O_DIRECTORY)
            return folder < 0 && errno == ENOTDIR ? open(path, flags) : folder
        }
        try self.init(owning: raw, path)
    }

    /// Looks a path up as a process would that has another root, in whichever mount namespace that is. Nothing is mounted on demand.
    /// openat2(2), RESOLVE_IN_ROOT, Linux 5.6.
    public convenience init(at path: String, inRoot root: PinnedFile) throws(SystemError) {
        try self.init(owning: systemCall("openat2", on: path) { CLinux_open_in_root(root.descriptor, path) }, path)
    }

    /// Looks a path up below a folder, and nowhere else. openat2(2), RESOLVE_BENEATH, Linux 5.6.
    ///
    /// - Throws: `SystemError`; `EXDEV` if a link in it, or `..`, leads out of the folder.
    public convenience init(at path: String, beneath folder: PinnedFile) throws(SystemError) {
        try self.init(owning: systemCall("openat2", on: path) { CLinux_open_beneath(folder.descriptor, path) }, path)
    }

    private init(owning raw: CInt, _ path: String) throws(SystemError) {
        descriptor = raw
        operand = path
        var status = stat()
        let failure = fstat(raw, &status) == 0 ? nil : Errno.current
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        if let failure { throw SystemError("fstat", failure, on: path) }
    }

    deinit { close() }

    /// Closes it. All other calls fail from then on, with `EBADF`.
    public func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// statx(2)
    public func status() throws(SystemError) -> EntryStatus {
        var found = CLinux_status()
        try systemCall("statx", on: operand) { CLinux_status_of(descriptor, "", &found) }
        return EntryStatus(found)
    }

    /// Where it is now, without symbolic links. readlink(2) of `/proc/self/fd/N`.
    ///
    /// What is in no file system that has paths, such as `/proc/self/ns/net`, has a text that does not begin with `/`.
    ///
    /// - Throws: `SystemError`; `ENOENT` if it has been removed.
    public func path() throws(SystemError) -> String { String(decoding: try pathBytes(), as: UTF8.self) }

    /// The same, also where it is not UTF-8.
    public func pathBytes() throws(SystemError) -> [UInt8] {
        let link = "/proc/self/fd/\(descriptor)"
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = try systemCall("readlink", on: "\(link), which is \(operand)") { readlink(link, &buffer, buffer.count) }
        let path = Array(buffer[..<count])
        // The kernel says so of what has been removed, and a file may have been given such a name.
        if path.suffix(Self.removed.utf8.count).elementsEqual(Self.removed.utf8), !isSame(as: String(decoding: path, as: UTF8.self)) {
            throw SystemError(
                "readlink", .noSuchFileOrDirectory, on: "\(link), which is \(operand)", hint: "it has been removed or replaced")
        }
        return path
    }

    private static let removed = " (deleted)"

    private func isSame(as path: String) -> Bool { (try? PinnedFile(at: path)).map(isSame(as:)) ?? false }

    /// Whether both are one file, through whichever mounts they were reached.
    public func isSame(as other: PinnedFile) -> Bool { other.device == device && other.inode == inode }

    /// What is in it, if it is a regular file, as ``readRegularFile(_:in:limit:)`` does.
    ///
    /// - Parameter limit: bytes.
    public func read(limit: Int) throws(SystemError) -> [UInt8] {
        try readRegularFile(FilePath("/proc/self/fd/\(descriptor)"), limit: limit)
    }

    /// The id of the mount through which it was reached, as mountinfo has it. Field `mnt_id` of `/proc/self/fdinfo/N`, Linux 3.15.
    public func mountID() throws(SystemError) -> Int {
        let file = "/proc/self/fdinfo/\(descriptor)"
        for line in try readWholeFile(FilePath(file), limit: 1 << 16).split(separator: UInt8(ascii: "\n")) {
            let words = line.split { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "\t") }
            if words.count == 2, words[0].elementsEqual("mnt_id".utf8), let id = Int(String(decoding: words[1], as: UTF8.self)) {
                return id
            }
        }
        throw SystemError("read", .noData, on: file)
    }

    /// A mount of it that is attached nowhere yet, and has the same peers. open_tree(2), OPEN_TREE_CLONE, Linux 5.2.
    ///
    /// - Parameter recursively: with all that is mounted below.
    /// - Throws: `SystemError`; `EINVAL` if it is unbindable, or on no mount of this process's namespace.
    public func clone(recursively: Bool) throws(SystemError) -> DetachedMount {
        DetachedMount(owning: try systemCall("open_tree", on: operand) { CLinux_clone_tree(descriptor, recursively ? 1 : 0) })
    }
}

/// A mount that is attached nowhere, and gone when it is closed or forgotten.
public final class DetachedMount {
    private var descriptor: CInt

    init(owning descriptor: CInt) { self.descriptor = descriptor }

    deinit { close() }

    public func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// The bare call behind ``mapIDs(of:recursively:)``.
    func mapIDs(_ namespace: UserNamespace, _ recursively: Bool) -> CInt {
        CLinux_map_ids(descriptor, namespace.descriptor, recursively ? 1 : 0)
    }

    /// Has it, and all below it, see what is mounted in its peers later, and no longer the other way around: without this, taking off what
    /// is below it would take that off its peers, too. mount_setattr(2), MS_SLAVE, Linux 5.12.
    public func leavePeers() throws(SystemError) {
        try systemCall("mount_setattr", on: "MS_SLAVE") { CLinux_leave_peers(descriptor) }
    }

    /// Sets these of its attributes, and clears those. mount_setattr(2), Linux 5.12.
    ///
    /// - Parameter becomesPrivate: whether it has no peers any more.
    public func set(
        _ attributes: MountAttributes, clearing others: MountAttributes = [], becomesPrivate: Bool = false
    ) throws(SystemError) {
        try systemCall("mount_setattr", on: "a clone") {
            CLinux_set_attributes(descriptor, attributes.rawValue, others.rawValue, becomesPrivate ? 1 : 0)
        }
    }

    /// Attaches it over what is held, whatever its path leads to by now. move_mount(2), Linux 5.2.
    public func attach(over file: PinnedFile) throws(SystemError) {
        try systemCall("move_mount", on: file.text) { CLinux_attach_tree_over(descriptor, file.descriptor) }
        close()
    }

    /// Attaches it, also in another mount namespace than that in which it was made. move_mount(2), Linux 5.2.
    public func attach(to path: String) throws(SystemError) {
        try systemCall("move_mount", on: path) { CLinux_attach_tree(descriptor, path) }
        close()
    }
}
