// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LexicalPaths
import LinuxSystem
import OCIRuntime
import SystemPackage

/// The mounts that dockerd adds to a container by itself, which its file of the container does not list. moby,
/// `daemon/container/container_unix.go` and `daemon/oci_linux.go`, of 20.10 to 29.
///
/// Only root can have files in Docker's data root. Mounts that a user asked for are in Docker's file of the container.
struct DockersOwnMounts {
    /// The components of the data root, as written and with links resolved.
    private let folders: [[String]]
    private let id: String
    private let initPath: String?

    /// The file names that dockerd's init has on hosts.
    private static let initNames = ["docker-init", "tini", "tini-static", "catatonit", "dumb-init"]

    /// - Parameters:
    ///   - folder: the data root.
    ///   - initPath: `init-path` of daemon.json.
    init(folder: String, id: String, initPath: String?) {
        folders = [folder, resolvingSymbolicLinks(FilePath(folder)).string].map { LexicalPath.components(of: $0) }
        self.id = id
        self.initPath = initPath
    }

    func contain(_ source: HostSource) -> Bool {
        if source.isLayer { return false }
        let destination = source.destination
        switch destination {
        case "/etc/hosts", "/etc/hostname", "/etc/resolv.conf":
            // A container that shares another one's network has that one's files.
            return below(source).contains { $0.count == 2 && Self.isID($0[0]) && LexicalPath.areSame("/etc/" + $0[1], destination) }
        case "/dev/shm":
            // It may be another container's, or with --ipc=host the host's.
            return isItself(source)
                || below(source).contains {
                    !$0.isEmpty && Self.isID($0[0]) && (Self.are($0[1...], ["mounts", "shm"]) || Self.are($0[1...], ["shm"]))
                }
        case "/proc", "/dev/mqueue":
            // Bound by a rootless engine, which cannot mount new ones in the host's namespaces.
            return isItself(source)
        case "/sbin/docker-init", "/dev/init": return isInit(source)
        default:
            // Secrets and configurations of services, at the places that the service names.
            return below(source).contains { names in
                guard names.count >= 3, LexicalPath.areSame(names[0], id) else { return false }
                let kind = names[names.count - 2]
                return Self.are(names[1..<(names.count - 2)], names.count == 4 ? ["mounts"] : [])
                    && ["secrets", "configs"].contains { LexicalPath.areSame($0, kind) }
            }
        }
    }

    private func isItself(_ source: HostSource) -> Bool { LexicalPath.areSame(source.path, source.destination) }

    /// What follows the folder of containers in the source's path.
    private func below(_ source: HostSource) -> [[String]] {
        let components = source.components
        return folders.compactMap { folder in
            let above = folder + ["containers"]
            guard components.count > above.count, Self.are(components[..<above.count], above) else { return nil }
            return Array(components[above.count...])
        }
    }

    private func isInit(_ source: HostSource) -> Bool {
        guard let name = source.components.last, source.path.utf8.first == UInt8(ascii: "/") else { return false }
        let isKnown =
            Self.initNames.contains { LexicalPath.areSame($0, name) } || initPath.map { LexicalPath.areSame($0, source.path) } ?? false
        let resolved = resolvingSymbolicLinks(FilePath(source.path)).string
        var status = stat()
        guard isKnown else { return false }
        // The delegate runtime refuses a missing file.
        guard stat(resolved, &status) == 0 else { return true }
        return status.st_mode & S_IFMT == S_IFREG && status.st_mode & 0o022 == 0
    }

    /// 64 hexadecimal digits.
    private static func isID(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private static func are(_ names: some Collection<String>, _ others: [String]) -> Bool {
        names.count == others.count && zip(names, others).allSatisfy { LexicalPath.areSame($0, $1) }
    }
}
