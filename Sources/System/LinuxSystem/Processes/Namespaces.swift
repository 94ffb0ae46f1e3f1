// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// Namespaces of a process, and its root folder, held open. namespaces(7).
public final class Namespaces: Sendable {
    public enum Kind: String, Sendable {
        case network = "net"
        case mount = "mnt"
        case ipc
        case uts
        case controlGroups = "cgroup"

        fileprivate var flag: CInt {
            switch self {
            case .network: CLINUX_CLONE_NEWNET
            case .mount: CLINUX_CLONE_NEWNS
            case .ipc: CLINUX_CLONE_NEWIPC
            case .uts: CLINUX_CLONE_NEWUTS
            case .controlGroups: CLINUX_CLONE_NEWCGROUP
            }
        }
    }

    private struct Held: Sendable {
        var kind: Kind
        var descriptor: CInt
        var device: UInt64
        var inode: UInt64

        func isOne(of others: [Held]) -> Bool {
            others.contains { $0.kind == kind && $0.device == device && $0.inode == inode }
        }
    }

    private let held: [Held]
    /// -1 if no mount namespace is held.
    private let root: CInt

    /// Close-on-exec; owned by this object.
    public var descriptors: [FileDescriptor] {
        (held.map(\.descriptor) + [root]).filter { $0 >= 0 }.map { FileDescriptor(rawValue: $0) }
    }

    /// - Parameters:
    ///   - process: nil for this one.
    ///   - kinds: in the order in which they are entered.
    /// - Throws: `SystemError` of open(2) on `/proc/PID/ns/KIND` and `/proc/PID/root`.
    public init(of process: Int32?, _ kinds: [Kind]) throws(SystemError) {
        let folder = "/proc/\(process.map(String.init) ?? "self")"
        var held: [Held] = []
        var root: CInt = -1
        do throws(SystemError) {
            for kind in kinds {
                let path = "\(folder)/ns/\(kind.rawValue)"
                let raw = try systemCall("open", on: path) { open(path, O_RDONLY | O_CLOEXEC) }
                var status = stat()
                fstat(raw, &status)
                held.append(Held(kind: kind, descriptor: raw, device: UInt64(status.st_dev), inode: UInt64(status.st_ino)))
            }
            if kinds.contains(.mount) {
                root = try systemCall("open", on: "\(folder)/root") {
                    open("\(folder)/root", CLINUX_O_PATH | O_DIRECTORY | O_CLOEXEC)
                }
            }
        } catch {
            for one in held { close(one.descriptor) }
            throw error
        }
        self.held = held
        self.root = root
    }

    deinit {
        for descriptor in descriptors { close(descriptor.rawValue) }
    }

    /// Whether all that are held here are held there, too.
    public func isSame(as other: Namespaces) -> Bool { held.allSatisfy { $0.isOne(of: other.held) } }

    /// Moves this process, which must have a single thread, into those that are others than `current` has; with a mount namespace also to the
    /// root folder that was held with it. setns(2), chroot(2).
    ///
    /// - Parameter current: nil to enter all.
    /// - Throws: `SystemError`; the process then is in those before the one that failed.
    public func enter(from current: Namespaces? = nil) throws(SystemError) {
        for one in held {
            if let current, one.isOne(of: current.held) { continue }
            try systemCall("setns", on: "a \(one.kind.rawValue) namespace") { CLinux_setns(one.descriptor, one.kind.flag) }
            if one.kind == .mount {
                try systemCall("fchdir", on: "a root folder") { fchdir(root) }
                try systemCall("chroot", on: "a root folder") { chroot(".") }
            }
        }
    }
}
