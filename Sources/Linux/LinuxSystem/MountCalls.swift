// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc

/// Whether the kernel can give a mount and all below it an attribute at once: mount_setattr(2), Linux 5.12. Also false where a filter of
/// system calls forbids it.
public func knowsRecursiveMountAttributes() -> Bool {
    // Without arguments it cannot do anything, and says so.
    CLinux_probe_mount_setattr() < 0 && errno == EINVAL
}

/// Per-mount attributes for fsmount(2): `MOUNT_ATTR_…`, Linux 5.2.
public struct MountAttributes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let readOnly = MountAttributes(rawValue: 0x01)
    public static let noSetUID = MountAttributes(rawValue: 0x02)
    public static let noDevices = MountAttributes(rawValue: 0x04)
    public static let noExecution = MountAttributes(rawValue: 0x08)
    public static let noAccessTime = MountAttributes(rawValue: 0x10)
    public static let strictAccessTime = MountAttributes(rawValue: 0x20)
    public static let noDirectoryAccessTime = MountAttributes(rawValue: 0x80)
}

/// Flags of mount(2): `MS_…`.
public struct MountFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let readOnly = MountFlags(rawValue: 1)
    public static let noSetUID = MountFlags(rawValue: 2)
    public static let noDevices = MountFlags(rawValue: 4)
    public static let noExecution = MountFlags(rawValue: 8)
    public static let synchronous = MountFlags(rawValue: 16)
    public static let synchronousDirectories = MountFlags(rawValue: 128)
    public static let noAccessTime = MountFlags(rawValue: 1 << 10)
    public static let noDirectoryAccessTime = MountFlags(rawValue: 1 << 11)
    public static let bind = MountFlags(rawValue: 1 << 12)
    public static let silent = MountFlags(rawValue: 1 << 15)
    public static let relativeAccessTime = MountFlags(rawValue: 1 << 21)
    public static let strictAccessTime = MountFlags(rawValue: 1 << 24)
    public static let lazyTime = MountFlags(rawValue: 1 << 25)
}

/// Flags of umount2(2).
public struct UnmountFlags: OptionSet, Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    /// Aborts waiting requests; they fail with EIO.
    public static let force = UnmountFlags(rawValue: 1)
    /// Takes the mount off the tree at once; its end comes when the last user goes.
    public static let detach = UnmountFlags(rawValue: 2)
    public static let noFollow = UnmountFlags(rawValue: 8)
}

/// The calls of the mount API, as steps of a sequence.
extension SystemCallSequence {
    private static let here = Argument.value(-100)  // AT_FDCWD
    private static let emptyPath = 0x1000  // AT_EMPTY_PATH
    private static let removeDirectory = 0x200  // AT_REMOVEDIR

    /// Names the process for ps(1). prctl(2), PR_SET_NAME: 15 bytes count.
    public func nameProcess(_ name: String) {
        add("prctl", Int(__NR_prctl), on: name, [.value(15), .string(name)], options: .mayFail)
    }

    /// fsopen(2), Linux 5.2. The result is a descriptor of the new context.
    public func fsopen(_ fileSystem: String) -> Call {
        add("fsopen", Int(__NR_fsopen), on: fileSystem, [.string(fileSystem), .value(1)])
    }

    /// fsconfig(2) with FSCONFIG_SET_STRING, or FSCONFIG_SET_FLAG without a value.
    @discardableResult
    public func fsconfig(_ context: Call, _ key: String, _ value: String?) -> Call {
        if let value {
            return add(
                "fsconfig", Int(__NR_fsconfig), on: "\(key)=\(value)",
                [.result(context), .value(1), .string(key), .string(value), .value(0)])
        }
        return add("fsconfig", Int(__NR_fsconfig), on: key, [.result(context), .value(0), .string(key), .value(0), .value(0)])
    }

    /// fsconfig(2) with FSCONFIG_CMD_CREATE: here the kernel talks to the server.
    @discardableResult
    public func fsconfigCreate(_ context: Call, on source: String) -> Call {
        add("fsconfig(CMD_CREATE)", Int(__NR_fsconfig), on: source, [.result(context), .value(6), .value(0), .value(0), .value(0)])
    }

    /// fsmount(2): a mount that is attached nowhere yet; the result is a descriptor of its root.
    public func fsmount(_ context: Call, _ attributes: MountAttributes, on source: String) -> Call {
        add("fsmount", Int(__NR_fsmount), on: source, [.result(context), .value(1), .value(Int(attributes.rawValue))])
    }

    /// open_tree(2) with OPEN_TREE_CLONE: a mount of what the descriptor names, attached nowhere yet.
    public func openTree(_ directory: Call, on name: String) -> Call {
        let cloexec = Int(O_CLOEXEC)
        return add("open_tree", Int(__NR_open_tree), on: name, [.result(directory), .string(""), .value(1 | cloexec | Self.emptyPath)])
    }

    /// move_mount(2) from a descriptor onto a path of this namespace.
    @discardableResult
    public func moveMount(_ mount: Call, to target: String) -> Call {
        add("move_mount", Int(__NR_move_mount), on: target, [.result(mount), .string(""), Self.here, .string(target), .value(4)])
    }

    /// mount(2).
    @discardableResult
    public func mount(_ source: String, on target: String, type: String, _ flags: MountFlags, data: String?) -> Call {
        add(
            "mount", Int(__NR_mount), on: "\(source) on \(target)",
            [.string(source), .string(target), .string(type), .value(Int(flags.rawValue)), data.map(Argument.string) ?? .value(0)])
    }

    /// umount2(2), if there is a condition only if it succeeded.
    @discardableResult
    public func unmount(_ target: String, _ flags: UnmountFlags, options: Options = [], if condition: Call? = nil) -> Call {
        add("umount2", Int(__NR_umount2), on: target, [.string(target), .value(flags.rawValue)], options: options, if: condition)
    }

    /// openat(2) of one directory below another, or of an absolute path: O_PATH, no symbolic link is followed.
    public func openDirectory(_ name: String, in directory: Call? = nil, operand: String) -> Call {
        openDirectory(Array(name.utf8), in: directory, operand: operand)
    }

    /// The same for a name that need not be UTF-8.
    public func openDirectory(_ name: [UInt8], in directory: Call? = nil, operand: String) -> Call {
        let flags = Int(CInt(CLINUX_O_PATH) | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        return add("openat", Int(__NR_openat), on: operand, [directory.map(Argument.result) ?? Self.here, .bytes(name), .value(flags)])
    }

    /// openat2(2) of one directory below another, like ``openDirectory(_:in:operand:)``, but never across a mount point: `EXDEV`.
    /// Linux 5.6.
    public func openDirectoryOfSameMount(_ name: [UInt8], in directory: Call, operand: String) -> Call {
        // struct open_how: flags, mode, resolve (RESOLVE_NO_XDEV and RESOLVE_NO_SYMLINKS)
        let how = buffer([UInt64(CInt(CLINUX_O_PATH) | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), 0, 0x05])
        return add("openat2", Int(__NR_openat2), on: operand, [.result(directory), .bytes(name), .buffer(how), .value(how.count)])
    }

    /// mkdirat(2). That it fails does not end the sequence.
    public func makeDirectory(_ name: String, in directory: Call, mode: UInt32, operand: String) -> Call {
        add("mkdirat", Int(__NR_mkdirat), on: operand, [.result(directory), .string(name), .value(Int(mode))], options: .mayFail)
    }

    /// openat(2) of a directory that was just made, for changing its owner and mode: it and not what may lie there by now.
    public func openMade(_ name: [UInt8], in directory: Call, operand: String, if condition: Call) -> Call {
        let flags = Int(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        return add("openat", Int(__NR_openat), on: operand, [.result(directory), .bytes(name), .value(flags)], if: condition)
    }

    /// fchmod(2), if the condition succeeded.
    @discardableResult
    public func changeMode(of descriptor: Call, to mode: UInt32, operand: String, if condition: Call) -> Call {
        add("fchmod", Int(__NR_fchmod), on: operand, [.result(descriptor), .value(Int(mode))], if: condition)
    }

    /// fchown(2), if the condition succeeded. -1 leaves an id as it is.
    @discardableResult
    public func changeOwner(of descriptor: Call, user: Int, group: Int, operand: String, if condition: Call) -> Call {
        add("fchown", Int(__NR_fchown), on: operand, [.result(descriptor), .value(user), .value(group)], if: condition)
    }

    /// unlinkat(2) with AT_REMOVEDIR.
    @discardableResult
    public func removeDirectory(_ name: String, in directory: Call, operand: String, options: Options, if condition: Call? = nil) -> Call {
        removeDirectory(Array(name.utf8), in: directory, operand: operand, options: options, if: condition)
    }

    /// The same for a name that need not be UTF-8.
    @discardableResult
    public func removeDirectory(_ name: [UInt8], in directory: Call, operand: String, options: Options, if condition: Call? = nil) -> Call {
        add(
            "unlinkat", Int(__NR_unlinkat), on: operand, [.result(directory), .bytes(name), .value(Self.removeDirectory)],
            options: options, if: condition)
    }

    /// renameat2(2) inside one directory.
    public func rename(_ name: String, in directory: Call, to other: String, operand: String) -> Call {
        add(
            "renameat2", Int(__NR_renameat2), on: operand,
            [.result(directory), .string(name), .result(directory), .string(other), .value(0)])
    }

    /// faccessat(2) for existence; the result of a missing name is ENOENT. That it fails does not end the sequence.
    public func exists(_ name: String, in directory: Call, operand: String) -> Call {
        add("faccessat", Int(__NR_faccessat), on: operand, [.result(directory), .string(name), .value(0)], options: .mayFail)
    }

    /// openat(2) of a directory that is open by O_PATH, now for reading its names.
    public func openForReading(_ directory: Call, operand: String) -> Call {
        let flags = Int(O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        return add("openat", Int(__NR_openat), on: operand, [.result(directory), .string("."), .value(flags)])
    }

    /// getdents64(2).
    public func directoryEntries(of directory: Call, into buffer: Buffer) -> Call {
        add("getdents64", Int(__NR_getdents64), on: "directory", [.result(directory), .buffer(buffer), .value(buffer.count)])
    }

    /// unlinkat(2) of a path.
    public func removeFile(at path: String) -> Call {
        add("unlinkat", Int(__NR_unlinkat), on: path, [Self.here, .string(path), .value(0)])
    }

    /// unlinkat(2) of an empty directory's path, with AT_REMOVEDIR.
    public func removeDirectory(at path: String) -> Call {
        add("unlinkat", Int(__NR_unlinkat), on: path, [Self.here, .string(path), .value(Self.removeDirectory)])
    }

    /// unlinkat(2) of what is not a directory. That it fails does not end the sequence.
    public func removeFile(_ name: [UInt8], in directory: Call, operand: String) -> Call {
        add("unlinkat", Int(__NR_unlinkat), on: operand, [.result(directory), .bytes(name), .value(0)], options: .mayFail)
    }

    /// read(2), only after a failure.
    public func read(_ descriptor: Call, into buffer: Buffer, operand: String) -> Call {
        add("read", Int(__NR_read), on: operand, [.result(descriptor), .buffer(buffer), .value(buffer.count)], options: .onFailure)
    }

    /// fchdir(2): what follows may name things relative to this directory.
    @discardableResult
    public func changeDirectory(_ directory: Call, operand: String) -> Call {
        add("fchdir", Int(__NR_fchdir), on: operand, [.result(directory)])
    }
}
