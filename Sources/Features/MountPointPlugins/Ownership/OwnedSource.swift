// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import SystemPackage

/// The source of a mount, held open, with whoever owns it.
struct OwnedSource {
    let owner: (user: UInt32, group: UInt32)
    let isFolder: Bool
    private let file: PinnedFile
    private let path: String

    /// - Throws: `PluginError` if it is not there.
    init(_ path: String) throws(PluginError) {
        self.path = path
        do throws(SystemError) {
            file = try PinnedFile(at: path)
            isFolder = file.isFolder
            let place = try file.path()
            var status = stat()
            try systemCall("lstat", on: place) { lstat(place, &status) }
            owner = (status.st_uid, status.st_gid)
        } catch {
            throw PluginError("the owner of \(path) cannot be seen: \(error)")
        }
    }

    /// A mount of it, with all that is mounted below, that is attached nowhere yet.
    ///
    /// - Throws: `PluginError` that names the file system if it cannot be mapped.
    func mapped(_ ranges: IDRanges) throws(PluginError) -> DetachedMount {
        do throws(SystemError) {
            let clone = try file.clone(recursively: true)
            try clone.mapIDs(of: UserNamespace(users: ranges.users, groups: ranges.groups), recursively: true)
            return clone
        } catch {
            let system = fileSystem.map { "\(path) is on the file system \($0)" } ?? "the file system of \(path) is not known"
            switch (error.call, error.errno) {
            case ("mount_setattr", .invalidArgument):
                let below = mountsBelow().isEmpty ? "" : ", or one that is mounted below it,"
                throw PluginError(
                    "\(system), which\(below) cannot be id-mapped; mount a folder of another file system, or change the owners")
            case ("mount_setattr", .notPermitted):
                throw PluginError("\(system) and is id-mapped already, which cannot be done twice; let ownership come first in the chain")
            default: throw PluginError("the owners of \(path) cannot be mapped: \(error)")
            }
        }
    }

    private var fileSystem: String? {
        guard let id = try? file.mountID(), let entries = try? MountTable().entries else { return nil }
        return entries.first { $0.mountID == id }?.fileSystem
    }

    /// Where something is mounted below it, as paths from it, in the order in which it was mounted.
    func mountsBelow() -> [String] {
        guard isFolder, let place = try? file.path(), let table = try? MountTable() else { return [] }
        let prefix = place == "/" ? "" : place
        return table.mounts(below: prefix).map(\.mountPoint).filter { $0.utf8.count > prefix.utf8.count + 1 }
            .map { String(decoding: $0.utf8.dropFirst(prefix.utf8.count), as: UTF8.self) }
    }
}
