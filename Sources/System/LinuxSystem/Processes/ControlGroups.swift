// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage

/// The control groups that a process is in, one for each hierarchy. cgroups(7).
public struct ControlGroups: Sendable, Hashable {
    /// Of one hierarchy, as a line of `/proc/PID/cgroup` has it.
    public struct Membership: Sendable, Hashable {
        /// `memory`, `cpu,cpuacct`, `name=systemd`; empty for version 2.
        public var controllers: String
        /// From the root of the hierarchy.
        public var path: String

        public init(controllers: String, path: String) {
            self.controllers = controllers
            self.path = path
        }
    }

    public var memberships: [Membership]

    public init(_ memberships: [Membership]) { self.memberships = memberships }

    /// - Parameter process: nil for this one.
    /// - Throws: `SystemError`; `ENOENT` if the process has ended.
    public init(of process: Int32?) throws(SystemError) {
        let bytes = try readWholeFile(FilePath("/proc/\(process.map(String.init) ?? "self")/cgroup"), limit: 1 << 20)
        self.init(parsing: bytes)
    }

    init(parsing bytes: [UInt8]) {
        memberships = bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return nil }
            return Membership(controllers: String(decoding: fields[1], as: UTF8.self), path: String(decoding: fields[2], as: UTF8.self))
        }
    }

    /// Moves this process, which must have a single thread, into these groups where it is in others.
    ///
    /// In hierarchies of version 1 moving another process makes the kernel wait some 10 ms for a lock that a thread moving itself does not
    /// need (Linux 5.5), so a process moves only itself. A hierarchy that is not mounted is left out: nothing reads it then. Where version 1
    /// counts memory, version 2 is left out: no accounting looks there. Where a group is gone, its nearest ancestor takes its place.
    ///
    /// - Parameter mounts: of this process's mount namespace.
    /// - Throws: `SystemError` of the first write that failed; the other hierarchies are tried all the same.
    public func join(through mounts: ControlGroupMounts) throws(SystemError) {
        let current = try ControlGroups(of: nil)
        let isHybrid = memberships.contains { $0.names.contains { $0.elementsEqual("memory".utf8) } }
        var failure: SystemError?
        for membership in memberships where !current.memberships.contains(membership) {
            if membership.controllers.isEmpty && isHybrid { continue }
            guard let mount = mounts.mount(of: membership) else { continue }
            do throws(SystemError) {
                try membership.join(below: mount)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }
}

/// Through which mounts the hierarchies of control groups can be reached. cgroups(7).
public struct ControlGroupMounts: Sendable {
    fileprivate struct Mount {
        /// Options of a hierarchy of version 1, with its controllers among them; nil for version 2.
        let options: [String]?
        let root: String
        let path: String
    }

    private var mounts: [Mount] = []

    public init(in table: MountTable) {
        for entry in table.entries where entry.fileSystem == "cgroup" || entry.fileSystem == "cgroup2" {
            let options = entry.fileSystem == "cgroup" ? entry.superblockOptions : nil
            mounts.append(Mount(options: options, root: entry.root, path: entry.mountPoint))
        }
    }

    fileprivate func mount(of membership: ControlGroups.Membership) -> Mount? {
        mounts.first { mount in
            guard membership.path.isSame(asOrBelow: mount.root) else { return false }
            guard let options = mount.options else { return membership.controllers.isEmpty }
            if membership.controllers.isEmpty { return false }
            return membership.names.allSatisfy { name in options.contains { $0.utf8.elementsEqual(name) } }
        }
    }
}

extension ControlGroups.Membership {
    /// Of the controllers, or of a hierarchy without any.
    fileprivate var names: [Substring.UTF8View] { controllers[...].utf8.split(separator: UInt8(ascii: ",")) }

    fileprivate func join(below mount: ControlGroupMounts.Mount) throws(SystemError) {
        let isWhole = mount.root.utf8.elementsEqual("/".utf8)
        let rest = isWhole ? path.utf8[...] : path.utf8.dropFirst(mount.root.utf8.count)
        var folder = FilePath(mount.path)
        if !rest.elementsEqual("/".utf8) { folder.append(String(decoding: rest, as: UTF8.self)) }
        let top = FilePath(mount.path)
        while true {
            let file = folder.appending(controllers.isEmpty ? "cgroup.procs" : "tasks").string
            do throws(SystemError) {
                let descriptor = try systemCall("open", on: file) { open(file, O_WRONLY | O_CLOEXEC) }
                defer { close(descriptor) }
                try systemCall("write", on: file) { Glibc.write(descriptor, "0", 1) }
                return
            } catch  where error.errno == .noSuchFileOrDirectory || error.errno.rawValue == ENODEV {
                if folder == top || !folder.removeLastComponent() { throw error }
            }
        }
    }
}

extension String {
    fileprivate func isSame(asOrBelow root: String) -> Bool {
        let root = root.utf8
        if root.elementsEqual("/".utf8) { return true }
        return utf8.starts(with: root) && (utf8.count == root.count || utf8.dropFirst(root.count).first == UInt8(ascii: "/"))
    }
}
