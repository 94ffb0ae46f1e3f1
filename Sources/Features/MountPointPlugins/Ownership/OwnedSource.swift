// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import SystemPackage

/// The source of a mount, held open, with whoever owns it.
struct OwnedSource {
    let owner: FileOwner
    let inode: UInt64
    let birth: EntryStatus.Time?
    let isFolder: Bool
    /// Without links.
    let place: String
    private let file: PinnedFile
    private let path: String

    /// - Throws: `PluginError` if it is not there.
    init(_ path: String) throws(PluginError) {
        self.path = path
        do throws(SystemError) {
            file = try PinnedFile(at: path)
            isFolder = file.isFolder
            place = try file.path()
            let status = try file.status()
            owner = FileOwner(user: status.user, group: status.group)
            inode = status.inode
            birth = status.birth
        } catch {
            throw PluginError("the owner of \(path) cannot be seen: \(error)")
        }
    }

    func location() throws(PluginError) -> TreeLocation {
        do throws(SystemError) { return try TreeLocation(of: file, at: place) } catch {
            throw PluginError("the file system of \(path) is not known: \(error)")
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
                let below = !hasMountsBelow ? "" : ", or one that is mounted below it,"
                throw PluginError(
                    "\(system), which\(below) cannot be id-mapped; with mode=transfer the files belong to the container's user while it runs"
                )
            case ("mount_setattr", .notPermitted):
                throw PluginError(
                    "\(system) and is id-mapped already, which cannot be done twice; let ownership come first in the chain, or take mode=transfer"
                )
            default: throw PluginError("the owners of \(path) cannot be mapped: \(error)")
            }
        }
    }

    private var fileSystem: String? {
        guard let id = try? file.mountID(), let entries = try? MountTable().entries else { return nil }
        return entries.first { $0.mountID == id }?.fileSystem
    }

    private var hasMountsBelow: Bool {
        ((try? MountTable())?.mounts(below: place) ?? []).contains { !$0.mountPoint.hasSameBytes(as: place) }
    }
}
