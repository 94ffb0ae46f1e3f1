// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import SystemPackage

/// The source of a mount, looked at before anything is made.
struct CopyOnWriteSource {
    /// The folder that the layer is laid over, without links: the source, or the folder that has it.
    let place: String
    /// The source's name, if it is no folder.
    let file: String?
    let folder: PinnedFile
    let status: EntryStatus
    /// Of the mount that it is on.
    let attributes: MountAttributes
    let isReadOnly: Bool
    let isMapped: Bool
    let inner: [InnerMount]

    /// - Parameter inner: what is to be shown over the layer, if it is known: looking for it takes some milliseconds.
    /// - Throws: `PluginError` if it is nothing that a layer can be laid over.
    init(_ path: String, inner known: [InnerMount]? = nil) throws(PluginError) {
        do throws(SystemError) {
            let file = try PinnedFile(at: path)
            let found = try file.path()
            let table = try MountTable()
            if file.isFolder {
                (folder, place, self.file) = (file, found, nil)
            } else {
                let (parent, name) = try Self.parted(found, table)
                (folder, place, self.file) = (try PinnedFile(at: parent), parent, name)
            }
            status = try folder.status()
            let id = try folder.mountID()
            let entry = table.entries.first { $0.mountID == id }
            let options = entry?.options ?? []
            attributes = MountAttributes(forbiddenBy: options)
            isReadOnly = options.contains("ro") || entry?.superblockOptions.contains("ro") ?? false
            isMapped = options.contains("idmapped")
            inner = known ?? (self.file == nil ? InnerMount.all(below: place, table) : [])
        } catch {
            throw PluginError("the source \(path) cannot be looked at: \(error)")
        }
    }

    private static func parted(_ path: String, _ table: MountTable) throws(SystemError) -> (folder: String, name: String) {
        let name = FilePath(path).lastComponent?.string ?? ""
        let parent = FilePath(path).removingLastComponent()
        let entry = EntryName(name)
        let status = try entry.map { (entry) throws(SystemError) in try OpenFolder(at: parent).status(of: entry) }
        guard let status, status.kind == .file else {
            throw SystemError("open", .invalidArgument, on: path, hint: "it is neither a folder nor a regular file; leave it as it is")
        }
        if status.isMountRoot || table.topmost(at: path) != nil {
            throw SystemError(
                "mount", .invalidArgument, on: path,
                hint:
                    "a single file that is mounted by itself cannot be had; take its folder, or let copy-on-write come before what mounts it"
            )
        }
        return (parent.string, name)
    }
}
