// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import SystemPackage

/// What can be seen of a plugin's work on this host.
enum Traces {
    static func isThere(_ path: String) -> Bool {
        var status = stat()
        return !path.utf8.contains(0) && lstat(path, &status) == 0
    }

    /// A mount as it was seen. The kernel gives the number of one that has gone to the next that comes, so the number alone is not enough.
    struct SeenMount: Hashable {
        var id: Int
        var path: String
    }

    /// The mounts of this process's namespace; empty where they cannot be read.
    static func mounts() -> Set<SeenMount> {
        Set(((try? MountTable().entries) ?? []).map { SeenMount(id: $0.mountID, path: $0.mountPoint) })
    }

    /// Files below a folder with what a plugin might change about them; of a large tree only the first.
    static func tree(_ path: String) -> [String] {
        var lines: [String] = []
        add(path, to: &lines, depth: 0)
        return lines
    }

    private static let treeLimit = 2000

    private static func add(_ path: String, to lines: inout [String], depth: Int) {
        var status = stat()
        guard lines.count < treeLimit, depth < 32, lstat(path, &status) == 0 else { return }
        let isFolder = status.st_mode & S_IFMT == S_IFDIR
        let content = isFolder ? "" : " \(status.st_size) bytes of \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        lines.append("\(path) mode \(String(status.st_mode, radix: 8)) owner \(status.st_uid):\(status.st_gid)\(content)")
        guard isFolder else { return }
        for name in ((try? namesInFolder(FilePath(path))) ?? []).sorted() { add("\(path)/\(name)", to: &lines, depth: depth + 1) }
    }

    /// What the emergency actions of some attachments say is the plugin's.
    static func removals(_ attachments: [Attachment]) -> [String] {
        actions(attachments).compactMap { if case .remove(let path) = $0 { path } else { nil } }
    }

    static func unmounts(_ attachments: [Attachment]) -> [String] {
        actions(attachments).compactMap { if case .unmount(let path) = $0 { path } else { nil } }
    }

    static func actions(_ attachments: [Attachment]) -> [EmergencyAction] {
        attachments.filter(\.attach).flatMap(\.emergencyDetach)
    }

    /// What the attachments have put in the place of a mount's source.
    static func newSources(_ attachments: [Attachment], _ mount: MountPoint) -> [String] {
        attachments.filter(\.attach).map(\.changes.effectiveSource).filter {
            !$0.isEmpty && !$0.utf8.elementsEqual(mount.effectiveSource.utf8)
        }
    }

    /// How many descriptors a process has open; nil if it cannot be seen.
    static func descriptors(of process: CInt?) -> Int? {
        process.flatMap { try? namesInFolder(FilePath("/proc/\($0)/fd")).count }
    }
}
