// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc

/// The calls of the mount API.
extension SystemCall {
    public typealias Call = SystemCallSequence.Call
    public typealias Options = SystemCallSequence.Options
    public typealias Buffer = SystemCallSequence.Buffer

    /// Relative paths are resolved against the working directory.
    static var here: SystemCallSequence.Argument { .value(Int(AT_FDCWD)) }

    /// Names the process for ps(1). prctl(2), PR_SET_NAME: 15 bytes count.
    public static func nameProcess(_ name: String) -> SystemCall {
        SystemCall("prctl", Int(__NR_prctl), on: name, [.value(Int(PR_SET_NAME)), .string(name)], options: .mayFail)
    }

    /// fsopen(2), Linux 5.2. The result is a descriptor of the new context.
    public static func fsopen(_ fileSystem: String) -> SystemCall {
        SystemCall("fsopen", Int(__NR_fsopen), on: fileSystem, [.string(fileSystem), .value(Int(FSOPEN_CLOEXEC))])
    }

    /// fsconfig(2) with FSCONFIG_SET_STRING, or FSCONFIG_SET_FLAG without a value.
    ///
    /// - Parameter operand: what errors show, if the value must not be seen.
    public static func fsconfig(_ context: Call, _ key: String, _ value: String?, operand: String? = nil) -> SystemCall {
        guard let value else {
            return SystemCall(
                "fsconfig", Int(__NR_fsconfig), on: key,
                [.result(context), .value(Int(FSCONFIG_SET_FLAG.rawValue)), .string(key), .value(0), .value(0)])
        }
        return SystemCall(
            "fsconfig", Int(__NR_fsconfig), on: operand ?? "\(key)=\(value)",
            [.result(context), .value(Int(FSCONFIG_SET_STRING.rawValue)), .string(key), .string(value), .value(0)])
    }

    /// fsconfig(2) with FSCONFIG_CMD_CREATE: here the kernel talks to the server.
    public static func fsconfigCreate(_ context: Call, on source: String) -> SystemCall {
        SystemCall(
            "fsconfig(CMD_CREATE)", Int(__NR_fsconfig), on: source,
            [.result(context), .value(Int(FSCONFIG_CMD_CREATE.rawValue)), .value(0), .value(0), .value(0)])
    }

    /// fsmount(2): a mount that is attached nowhere yet; the result is a descriptor of its root.
    public static func fsmount(_ context: Call, _ attributes: MountAttributes, on source: String) -> SystemCall {
        SystemCall(
            "fsmount", Int(__NR_fsmount), on: source,
            [.result(context), .value(Int(FSMOUNT_CLOEXEC)), .value(Int(attributes.rawValue))])
    }

    /// open_tree(2) with OPEN_TREE_CLONE: a mount of what the descriptor names, attached nowhere yet.
    public static func openTree(_ directory: Call, on name: String) -> SystemCall {
        let flags = Int(OPEN_TREE_CLONE) | Int(O_CLOEXEC) | Int(CLINUX_AT_EMPTY_PATH)
        return SystemCall("open_tree", Int(__NR_open_tree), on: name, [.result(directory), .string(""), .value(flags)])
    }

    /// move_mount(2) from a descriptor onto a path of this namespace.
    public static func moveMount(_ mount: Call, to target: String) -> SystemCall {
        SystemCall(
            "move_mount", Int(__NR_move_mount), on: target,
            [.result(mount), .string(""), Self.here, .string(target), .value(Int(MOVE_MOUNT_F_EMPTY_PATH))])
    }

    /// mount(2).
    public static func mount(_ source: String, on target: String, type: String, _ flags: MountFlags, data: String?) -> SystemCall {
        SystemCall(
            "mount", Int(__NR_mount), on: "\(source) on \(target)",
            [
                .string(source), .string(target), .string(type), .value(Int(flags.rawValue)),
                data.map(SystemCallSequence.Argument.string) ?? .value(0),
            ])
    }

    /// umount2(2), if there is a condition only if it succeeded.
    public static func unmount(_ target: String, _ flags: UnmountFlags, options: Options = [], if condition: Call? = nil) -> SystemCall {
        SystemCall("umount2", Int(__NR_umount2), on: target, [.string(target), .value(flags.rawValue)], options: options, if: condition)
    }

    /// openat(2) of one directory below another, or of an absolute path: O_PATH, no symbolic link is followed.
    public static func openDirectory(_ name: String, in directory: Call? = nil, operand: String) -> SystemCall {
        openDirectory(Array(name.utf8), in: directory, operand: operand)
    }

    /// The same for a name that need not be UTF-8.
    public static func openDirectory(_ name: [UInt8], in directory: Call? = nil, operand: String) -> SystemCall {
        let flags = Int(CLINUX_O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        return SystemCall(
            "openat", Int(__NR_openat), on: operand,
            [directory.map(SystemCallSequence.Argument.result) ?? Self.here, .bytes(name), .value(flags)])
    }

    /// openat2(2) of one directory below another, like ``openDirectory(_:in:operand:)``, but never across a mount point: `EXDEV`.
    /// Linux 5.6.
    public static func openDirectoryOfSameMount(
        _ name: [UInt8], in directory: Call, operand: String, options: Options = []
    ) -> SystemCall {
        // struct open_how: flags, mode, resolve
        let how = [UInt64(CLINUX_O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), 0, UInt64(RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS)]
        return SystemCall(
            "openat2", Int(__NR_openat2), on: operand, [.result(directory), .bytes(name), .words(how), .value(how.count * 8)],
            options: options)
    }

    /// mkdirat(2). That it fails does not end the sequence.
    public static func makeDirectory(_ name: String, in directory: Call, mode: UInt32, operand: String) -> SystemCall {
        SystemCall("mkdirat", Int(__NR_mkdirat), on: operand, [.result(directory), .string(name), .value(Int(mode))], options: .mayFail)
    }

    /// openat(2) of a directory that was just made, for changing its owner and mode: it, and not what may be there by now.
    public static func openMade(_ name: [UInt8], in directory: Call, operand: String, if condition: Call) -> SystemCall {
        let flags = Int(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        return SystemCall("openat", Int(__NR_openat), on: operand, [.result(directory), .bytes(name), .value(flags)], if: condition)
    }

    /// fchmod(2), if the condition succeeded.
    public static func changeMode(
        of descriptor: Call, to mode: UInt32, operand: String, options: Options = [], if condition: Call
    ) -> SystemCall {
        SystemCall("fchmod", Int(__NR_fchmod), on: operand, [.result(descriptor), .value(Int(mode))], options: options, if: condition)
    }

    /// fchown(2), if the condition succeeded. -1 leaves an id as it is.
    public static func changeOwner(
        of descriptor: Call, user: Int, group: Int, operand: String, options: Options = [], if condition: Call
    ) -> SystemCall {
        SystemCall(
            "fchown", Int(__NR_fchown), on: operand, [.result(descriptor), .value(user), .value(group)], options: options, if: condition)
    }

    /// unlinkat(2) with AT_REMOVEDIR.
    public static func removeDirectory(_ name: String, in directory: Call, operand: String, options: Options, if condition: Call? = nil)
        -> SystemCall
    {
        removeDirectory(Array(name.utf8), in: directory, operand: operand, options: options, if: condition)
    }

    /// The same for a name that need not be UTF-8.
    public static func removeDirectory(_ name: [UInt8], in directory: Call, operand: String, options: Options, if condition: Call? = nil)
        -> SystemCall
    {
        SystemCall(
            "unlinkat", Int(__NR_unlinkat), on: operand, [.result(directory), .bytes(name), .value(Int(AT_REMOVEDIR))],
            options: options, if: condition)
    }

    /// renameat2(2) inside one directory.
    public static func rename(_ name: String, in directory: Call, to other: String, operand: String) -> SystemCall {
        SystemCall(
            "renameat2", Int(__NR_renameat2), on: operand,
            [.result(directory), .string(name), .result(directory), .string(other), .value(0)])
    }

    /// faccessat(2) for existence; the result of a missing name is ENOENT. That it fails does not end the sequence.
    public static func exists(_ name: String, in directory: Call, operand: String) -> SystemCall {
        SystemCall(
            "faccessat", Int(__NR_faccessat), on: operand, [.result(directory), .string(name), .value(Int(F_OK))], options: .mayFail)
    }

    /// openat(2) of a directory that is open by O_PATH, now for reading its names.
    public static func openForReading(
        _ directory: Call, operand: String, options: Options = [], if condition: Call? = nil
    ) -> SystemCall {
        let flags = Int(O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        return SystemCall(
            "openat", Int(__NR_openat), on: operand, [.result(directory), .string("."), .value(flags)], options: options, if: condition)
    }

    /// getdents64(2).
    public static func directoryEntries(
        of directory: Call, into buffer: Buffer, options: Options = [], if condition: Call? = nil
    ) -> SystemCall {
        SystemCall(
            "getdents64", Int(__NR_getdents64), on: "directory", [.result(directory), .buffer(buffer), .value(buffer.count)],
            options: options, if: condition)
    }

    /// unlinkat(2) of a path.
    public static func removeFile(at path: String) -> SystemCall {
        SystemCall("unlinkat", Int(__NR_unlinkat), on: path, [Self.here, .string(path), .value(0)])
    }

    /// unlinkat(2) of an empty directory's path, with AT_REMOVEDIR.
    public static func removeDirectory(at path: String) -> SystemCall {
        SystemCall("unlinkat", Int(__NR_unlinkat), on: path, [Self.here, .string(path), .value(Int(AT_REMOVEDIR))])
    }

    /// unlinkat(2) of what is not a directory. That it fails does not end the sequence.
    public static func removeFile(_ name: [UInt8], in directory: Call, operand: String) -> SystemCall {
        SystemCall("unlinkat", Int(__NR_unlinkat), on: operand, [.result(directory), .bytes(name), .value(0)], options: .mayFail)
    }

    /// read(2), only after a failure.
    public static func read(_ descriptor: Call, into buffer: Buffer, operand: String) -> SystemCall {
        SystemCall("read", Int(__NR_read), on: operand, [.result(descriptor), .buffer(buffer), .value(buffer.count)], options: .onFailure)
    }

    /// fchdir(2): what follows may name things relative to this directory.
    public static func changeDirectory(_ directory: Call, operand: String) -> SystemCall {
        SystemCall("fchdir", Int(__NR_fchdir), on: operand, [.result(directory)])
    }
}
