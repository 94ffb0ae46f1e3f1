// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport

/// What can be told of the owners of a tree: by path, with what chown(2) could have taken away.
struct OwnerSnapshot: Equatable, CustomStringConvertible {
    private(set) var lines: [String] = []

    init(of path: String) throws {
        try add(OpenFolder(at: FilePath(path)), "")
        lines.sort()
    }

    private mutating func add(_ folder: OpenFolder, _ above: String) throws {
        lines.append(Self.line(above.isEmpty ? "." : above, try folder.status(), nil, folder))
        for name in try folder.names() {
            let status = try folder.status(of: name)
            let path = above + "/" + name.bytes.map { $0 > 0x20 && $0 < 0x7f ? String(UnicodeScalar($0)) : "\\\($0)" }.joined()
            if status.kind == .folder && !status.isMountRoot {
                try add(OpenFolder(name, in: folder), path)
            } else {
                lines.append(Self.line(path, status, name, folder))
            }
        }
    }

    private static func line(_ path: String, _ status: EntryStatus, _ name: EntryName?, _ folder: OpenFolder) -> String {
        var line = "\(path) \(status.kind) \(String(status.mode, radix: 8)) \(status.user):\(status.group)"
        for key in ["security.capability", "system.posix_acl_access", "system.posix_acl_default"] {
            if let value = try? folder.attribute(key, of: name) { line += " \(key)=\(value)" }
        }
        return line
    }

    func difference(from other: OwnerSnapshot) -> [String] {
        other.lines.filter { !lines.contains($0) }.map { "- \($0)" } + lines.filter { !other.lines.contains($0) }.map { "+ \($0)" }
    }

    var description: String { lines.joined(separator: "\n") }

    /// Only paths and owners.
    var owners: [String: String] {
        Dictionary(
            uniqueKeysWithValues: lines.map { line in
                let words = line.split(separator: " ")
                return (String(words[0]), String(words[3]))
            })
    }
}

/// Makes files in a folder and gives them owners.
struct OwnedTree {
    let path: String

    func folder(_ name: String, _ user: UInt32 = 1000, mode: mode_t = 0o755) {
        mkdir("\(path)/\(name)", 0o755)
        chown("\(path)/\(name)", user, user)
        chmod("\(path)/\(name)", mode)
    }

    func file(_ name: String, _ user: UInt32 = 1000, mode: mode_t = 0o644) {
        close(creat("\(path)/\(name)", 0o644))
        chown("\(path)/\(name)", user, user)
        chmod("\(path)/\(name)", mode)
    }

    func link(_ name: String, to target: String, _ user: UInt32 = 1000) {
        symlink(target, "\(path)/\(name)")
        lchown("\(path)/\(name)", user, user)
    }

    func owner(_ name: String) -> [UInt32] {
        var status = stat()
        return lstat("\(path)/\(name)", &status) == 0 ? [status.st_uid, status.st_gid] : []
    }

    func mode(_ name: String) -> mode_t {
        var status = stat()
        return lstat("\(path)/\(name)", &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    func set(_ key: String, of name: String, to value: [UInt8]) throws {
        try OpenFolder(at: FilePath(path)).setAttribute(key, of: EntryName(name), to: value)
    }

    func attribute(_ key: String, of name: String) throws -> [UInt8]? {
        try OpenFolder(at: FilePath(path)).attribute(key, of: EntryName(name))
    }

    /// A bit of everything, of user 1000, and some of others'.
    func fill() throws {
        chown(path, 1000, 1000)
        folder("a")
        folder("a/b")
        file("a/b/file")
        file("others", 1234)
        file("containers", 33)
        folder("shared", mode: 0o2775)
        file("set-uid", mode: 0o4755)
        file("set-gid", mode: 0o2755)
        file("capable", mode: 0o755)
        // cap_net_bind_service, effective and permitted, as setcap(8) writes it.
        try set("security.capability", of: "capable", to: [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        file("listed")
        // user::rw-, user:1000:r--, group::r--, mask::r--, other::r--
        try set("system.posix_acl_access", of: "listed", to: Self.list)
        link("out", to: "/etc/passwd")
        file("twice")
        Glibc.link("\(path)/twice", "\(path)/a/again")
        mkfifo("\(path)/fifo", 0o600)
        chown("\(path)/fifo", 1000, 1000)
    }

    private static let list: [UInt8] =
        [2, 0, 0, 0] + [1, 0, 6, 0, 255, 255, 255, 255] + [2, 0, 4, 0, 0xe8, 3, 0, 0] + [4, 0, 4, 0, 255, 255, 255, 255]
        + [0x10, 0, 4, 0, 255, 255, 255, 255] + [0x20, 0, 4, 0, 255, 255, 255, 255]
}

/// A request to attach one mount to a container of this user.
func ownershipRequest(
    _ source: String, _ options: String, user: UInt32 = 33, id: String = String(repeating: "a", count: 64), name: String = "web"
) -> MountPointAttachRequest {
    let mount = MountPoint.bind(source, "/work", labels: ["mountpoint.ownership": "/work:\(options)"]) {
        $0.container.user = ContainerDescription.User(uid: user, gid: user)
        $0.container.name = name
    }
    return MountPointAttachRequest(id: id, mounts: [mount])
}

extension OwnedTree {
    /// A filled tree in a folder of its own, older than any tick of the clock from now on: what was made in the same tick could as well have
    /// been made after it.
    static func with(_ body: (OwnedTree) async throws -> Void) async throws {
        try await withScratchFolder { folder in
            let tree = OwnedTree(path: folder.appending("source").string)
            mkdir(tree.path, 0o755)
            try tree.fill()
            waitForTick()
            try await body(tree)
        }
    }
}
