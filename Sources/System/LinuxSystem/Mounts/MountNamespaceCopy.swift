// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// A copy of this process's mount namespace, for mounts that only this process and its children may see. It is gone, with all that
/// was mounted in it, when the last of them has left it or ended, in whatever way: nothing has to be unmounted.
///
/// Each mount of the copy has the peers that the original has (`shared:N` in mountinfo), so what is mounted in the copy appears in the
/// original, too. For places that no other process may see, this is switched off for as long as it takes to mount there.
///
/// For programs with a single thread.
public final class MountNamespaceCopy {
    private let original: Namespaces
    /// In the original.
    private let root: CInt
    private let workingDirectory: CInt
    /// Mounts without their peers: where they are, and a descriptor of their root in the copy.
    private var alone: [(mountPoint: FilePath, descriptor: CInt)] = []

    /// Moves this process into the copy. unshare(2), CLONE_NEWNS.
    ///
    /// - Throws: `SystemError`; `EPERM` without the privilege. The process is in the original then.
    public init() throws(SystemError) {
        original = try Namespaces(of: nil, [.mount])
        let flags = CLINUX_O_PATH | O_DIRECTORY | O_CLOEXEC
        root = try systemCall("open", on: "/") { open("/", flags) }
        workingDirectory = open(".", flags)
        let failure = CLinux_unshare_mounts() == 0 ? nil : Errno.current
        if let failure { throw SystemError("unshare", failure, on: "the mount namespace") }
    }

    deinit {
        for descriptor in [root, workingDirectory] + alone.map(\.descriptor) where descriptor >= 0 { close(descriptor) }
    }

    /// Moves this process back, with its working directory. setns(2)
    public func leave() throws(SystemError) {
        try original.enter()
        if workingDirectory >= 0 { try systemCall("fchdir", on: "the working directory") { fchdir(workingDirectory) } }
    }

    /// Takes the mounts that these paths are on from their peers, so that what is mounted at the paths stays in the copy.
    ///
    /// - Parameter paths: absolute, and without symbolic links.
    /// - Throws: `SystemError` of mount(2).
    public func separate(_ paths: [FilePath]) throws(SystemError) {
        for path in paths {
            var mountPoint = path
            while true {
                do throws(SystemError) {
                    try systemCall("mount", on: mountPoint.string) {
                        mountPoint.withPlatformString { Self.canRejoin ? CLinux_make_private($0) : CLinux_make_slave($0) }
                    }
                    break
                } catch  where error.errno == .invalidArgument && !mountPoint.components.isEmpty {
                    // Nothing is mounted there, so the path is on a mount further up.
                    mountPoint.removeLastComponent()
                }
            }
            if alone.contains(where: { $0.mountPoint == mountPoint }) { continue }
            let descriptor = try systemCall("open", on: mountPoint.string) {
                mountPoint.withPlatformString { open($0, CLINUX_O_PATH | O_CLOEXEC) }
            }
            alone.append((mountPoint, descriptor))
        }
    }

    /// Gives those mounts the peers back that the original's have.
    ///
    /// Before Linux 5.15 they cannot be given back. There, the mounts have stayed slaves of their peers: what is mounted in the original
    /// appears in the copy, but not the other way round.
    public func rejoin() {
        for mount in alone {
            let below = FilePath(root: nil, mount.mountPoint.components)
            let peer = (below.isEmpty ? "." : below).withPlatformString { openat(root, $0, CLINUX_O_PATH | O_CLOEXEC) }
            guard peer >= 0 else { continue }
            // EINVAL if there are none.
            _ = CLinux_set_group(peer, mount.descriptor)
            close(peer)
        }
    }

    /// Whether this kernel can give a mount the peers of another one.
    private static var canRejoin: Bool { CLinux_set_group(-1, -1) < 0 && errno == EBADF }

    /// Mounts an empty file system in memory. mount(2), tmpfs.
    ///
    /// - Parameter mode: of its root folder.
    public func mountMemory(at path: FilePath, mode: UInt32) throws(SystemError) {
        try systemCall("mount", on: "a tmpfs on \(path)") {
            path.withPlatformString { CLinux_mount_memory($0, "mode=0\(String(mode, radix: 8))") }
        }
    }

    /// Attaches a mount so that it comes after all others in mountinfo.
    ///
    /// Since Linux 6.8 mountinfo is in the order in which mounts were made, and one that is given here was made before the copy. Who looks
    /// for the first mount of a kind, as runc does for control groups, would find what is below it. So a mount of the mount is made.
    ///
    /// - Parameters:
    ///   - mount: with what is mounted below it.
    ///   - way: on a mount without peers; where the first one is attached for a moment.
    /// - Throws: `SystemError` of move_mount(2), open_tree(2), mount(2) or umount2(2).
    public func attach(_ mount: DetachedMount, to target: String, by way: String) throws(SystemError) {
        try mount.attach(to: way)
        let file = try PinnedFile(at: way)
        try file.clone(recursively: true).attach(to: target)
        file.close()
        // First of all taken from its peers: the unmounting of what is below would reach the original.
        try systemCall("mount", on: way) { CLinux_make_tree_private(way) }
        try systemCall("umount2", on: way) { CLinux_detach(way) }
    }

    /// Mounts a file over another one. mount(2), MS_BIND.
    public func mountFile(_ file: FilePath, over path: FilePath) throws(SystemError) {
        try systemCall("mount", on: "\(file) on \(path)") {
            file.withPlatformString { file in path.withPlatformString { CLinux_bind(file, $0) } }
        }
    }

    /// Stops symbolic links on the mount at a path from being followed. mount_setattr(2), MOUNT_ATTR_NOSYMFOLLOW, Linux 5.14.
    ///
    /// - Returns: whether the kernel can do it and no filter of system calls forbids it.
    /// - Throws: `SystemError`
    public func forbidLinks(at path: FilePath) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try systemCall("mount_setattr", on: path.string) { path.withPlatformString { CLinux_forbid_links($0) } }
            return true
        } catch  where [.noFunction, .invalidArgument, .notPermitted, .permissionDenied].contains(error.errno) {
            return false
        }
    }
}
