// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem

/// The names of a container's own users and groups: `/etc/passwd` and `/etc/group` of its root file system, as its image has them, or as
/// an earlier run of it has left them.
///
/// All of that is somebody else's. No link in it leads out of it, nothing but a regular file is read, and not without end.
struct ContainerUsers {
    private let root: String
    /// Bytes of one file.
    private static let limit = 4 << 20

    /// - Throws: `PluginError` if the host does not say where the container's root file system is.
    init(of container: ContainerDescription) throws(PluginError) {
        guard container.root.utf8.first == UInt8(ascii: "/") else {
            throw PluginError("this host does not say where the container's users are; give the user as match-user:UID:GID")
        }
        root = container.root
    }

    /// - Returns: the ids of a user and its first group. passwd(5)
    func user(_ name: String) throws(PluginError) -> (user: UInt32, group: UInt32) {
        let found = try entry(name, in: "/etc/passwd", "user") { fields -> (user: UInt32, group: UInt32)? in
            guard fields.count >= 4, let user = OwnershipOptions.id(fields[2]), let group = OwnershipOptions.id(fields[3]) else {
                return nil
            }
            return (user, group)
        }
        // A container that could write its own passwd would be given root's files by it.
        if found.user == 0 && !name.hasSameBytes(as: "root") {
            throw PluginError("the container's user \(name) is root in its /etc/passwd; if that is meant, say match-user:0")
        }
        return found
    }

    /// - Returns: the id of a group. group(5)
    func group(_ name: String) throws(PluginError) -> UInt32 {
        try entry(name, in: "/etc/group", "group") { fields in fields.count >= 3 ? OwnershipOptions.id(fields[2]) : nil }
    }

    private func entry<Value>(
        _ name: String, in path: String, _ what: String, _ read: ([Substring]) -> Value?
    ) throws(PluginError) -> Value {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try PinnedFile(at: path, inRoot: PinnedFile(at: root)).read(limit: Self.limit)
        } catch {
            throw PluginError("the \(what) \(name) cannot be looked up in the container's \(path): \(error)")
        }
        for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: name.utf8) {
            let fields = String(decoding: line, as: UTF8.self).split(separator: ":", omittingEmptySubsequences: false)
            if fields.first?.utf8.elementsEqual(name.utf8) == true, let value = read(fields) { return value }
        }
        throw PluginError("the container has no \(what) \(name) in its \(path); give one that it has, or a number")
    }
}
