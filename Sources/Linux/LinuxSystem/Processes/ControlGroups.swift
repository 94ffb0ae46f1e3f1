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
    /// In hierarchies of version 1 a thread that moves itself spares the kernel a lock for which it waits some 10 ms (Linux 5.5), so
    /// this is not done for another process. A hierarchy that is not mounted is left out: nothing reads it then. Where version 1
    /// counts memory, version 2 is left out: nobody looks there. Where a group is gone, its nearest ancestor takes its place.
    ///
    /// - Parameter table: this process's mounts, in which the hierarchies are looked up.
    /// - Throws: `SystemError` of the first write that failed; the other hierarchies are tried all the same.
    public func join(table: MountTable) throws(SystemError) {
        let current = try ControlGroups(of: nil)
        let isHybrid = memberships.contains { !$0.controllers.isEmpty && $0.controllers.split(separator: ",").contains("memory") }
        var failure: SystemError?
        for membership in memberships where !current.memberships.contains(membership) {
            if membership.controllers.isEmpty && isHybrid { continue }
            guard let mount = membership.mount(in: table) else { continue }
            do throws(SystemError) {
                try membership.join(below: mount)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }
}

extension ControlGroups.Membership {
    /// The mount through which the group can be reached.
    fileprivate func mount(in table: MountTable) -> MountTableEntry? {
        if controllers.isEmpty { return table.entries.first { $0.fileSystem == "cgroup2" && path.isBelow($0.root) } }
        let names = controllers.split(separator: ",")
        return table.entries.first { entry in
            entry.fileSystem == "cgroup" && path.isBelow(entry.root)
                && names.allSatisfy { name in entry.superblockOptions.contains { $0 == name } }
        }
    }

    fileprivate func join(below mount: MountTableEntry) throws(SystemError) {
        let rest = mount.root == "/" ? path : String(path.dropFirst(mount.root.count))
        var folder = FilePath(mount.mountPoint + (rest == "/" ? "" : rest))
        while true {
            let file = folder.appending(controllers.isEmpty ? "cgroup.procs" : "tasks").string
            do throws(SystemError) {
                let descriptor = try systemCall("open", on: file) { open(file, O_WRONLY | O_CLOEXEC) }
                defer { close(descriptor) }
                try systemCall("write", on: file) { Glibc.write(descriptor, "0", 1) }
                return
            } catch  where error.errno == .noSuchFileOrDirectory || error.errno.rawValue == ENODEV {
                if folder.string == mount.mountPoint || !folder.removeLastComponent() { throw error }
            }
        }
    }
}

extension String {
    fileprivate func isBelow(_ root: String) -> Bool { root == "/" || self == root || hasPrefix(root + "/") }
}
