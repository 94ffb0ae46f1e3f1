// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LexicalPaths
import LinuxSystem
import SystemPackage

/// Places of a host that many policies keep from containers. The raw values are the settings' words.
enum PolicyPreset: String, Sendable, CaseIterable {
    /// What the host's own programs, settings, devices and state are in.
    case systemFolders = "system-folders"
    /// The sockets of engines, and what else gives control of them.
    case dockerSocket = "docker-socket"
    /// Homes of others than the user as whom the container's process runs.
    case otherHomes = "other-homes"

    /// The places that are the same for all containers. Volumes are not among them, nor are homes.
    func places(of places: PluginPlaces) -> [String] {
        switch self {
        case .systemFolders:
            let names = ["containers", "image", "overlay2", "plugins", "swarm", "tmp", "volumes/metadata.db"]
            let docker = places.dockerFolders.flatMap { folder in names.map { folder.appending($0).string } }
            return docker + places.own + [
                "/bin", "/boot", "/dev", "/efi", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root", "/run", "/sbin", "/sys",
                "/usr",
                "/var/lib/containerd", "/var/lib/dpkg", "/var/lib/mountpoint-runc", "/var/lib/rpm", "/var/lib/systemd", "/var/spool/cron",
            ]
        case .dockerSocket:
            return places.own + [
                "/run/docker.sock", "/run/docker", "/run/containerd", "/run/podman", "/run/crio", "/run/mountpoint-runc",
            ]
        case .otherHomes: return []
        }
    }
}

extension PluginPlaces {
    /// Who may write there can be a plugin, or choose who is asked.
    var own: [String] { [sockets.string, settings.string, state.string, "/etc/docker"] }
}

/// The homes of this host's users.
struct Homes: Sendable {
    private let homes: [(path: String, uid: UInt32)]
    private static let folder = "/home"
    /// Bytes of passwd(5).
    private static let limit = 16 << 20
    /// The first number of a person, and the last. login.defs(5), UID_MIN.
    private static let people: ClosedRange<UInt32> = 1000...65533

    /// - Parameter passwd: text of passwd(5).
    init(passwd: [UInt8]) {
        homes = passwd.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count >= 7, let uid = UInt32(String(decoding: fields[2], as: UTF8.self)),
                uid == 0 || Self.people.contains(uid) || uid > 65535, fields[5].first == UInt8(ascii: "/"), fields[5].count > 1
            else { return nil }
            return (LexicalPath.absolute(String(decoding: fields[5], as: UTF8.self)), uid)
        }
    }

    /// - Throws: `SystemError` if /etc/passwd cannot be read.
    static func ofHost() throws(SystemError) -> Homes { Homes(passwd: try readWholeFile("/etc/passwd", limit: limit)) }

    /// Where homes are.
    var places: [String] { [Self.folder] + homes.map(\.path) }

    /// A home that a mount shows and that is not the user's; nil if there is none.
    ///
    /// - Parameters:
    ///   - uid: of the host; nil for one who has no home here.
    ///   - owner: of a home that passwd does not have.
    func foreign(in shown: [String], to uid: UInt32?, owner: (String) -> UInt32?) -> String? {
        for path in shown {
            if LexicalPath.isSame(path, orAbove: Self.folder) { return Self.folder }
            if let home = homes.first(where: { LexicalPath.isSame($0.path, orAbove: path) }) {
                if home.uid != uid { return home.path }
            } else if let home = homes.first(where: { LexicalPath.isSame(path, orAbove: $0.path) }) {
                return home.path
            } else if LexicalPath.isSame(Self.folder, orAbove: path), let name = LexicalPath.components(of: path).dropFirst().first {
                let home = Self.folder + "/" + name
                if uid == nil || owner(home) != uid { return home }
            }
        }
        return nil
    }
}
