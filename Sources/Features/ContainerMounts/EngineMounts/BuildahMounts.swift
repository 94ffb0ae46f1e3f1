// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths
import OCIRuntime

/// buildah and `podman build`, which make a bundle in `/var/tmp/buildahN` with the id `buildah-buildahN` for each command that they run.
///
/// The mounts that a user asks for are in that folder as well, as `mnt/buildah-bind-target-N`: they are interposed.
struct BuildahMounts: EngineMounts {
    var engine: ContainerEngine { .buildah }
    private let bundle: [String]

    /// The places in the container, and the names in the bundle.
    private static let files = [
        ("/etc/hosts", ["hosts"]), ("/etc/hostname", ["hostname"]), ("/etc/resolv.conf", ["resolv.conf"]),
        ("/run/.containerenv", ["run", ".containerenv"]),
    ]

    /// - Returns: nil if the bundle and the id do not have that form.
    init?(_ id: ContainerID, bundle: String) {
        let components = LexicalPath.components(of: bundle)
        let prefix = "buildah"
        guard let name = components.last, LexicalPath.areSame(id.text, "buildah-" + name), name.utf8.starts(with: prefix.utf8),
            name.utf8.count > prefix.utf8.count,
            name.utf8.dropFirst(prefix.utf8.count).allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        self.bundle = components
    }

    func isOwn(_ source: HostSource) -> Bool {
        !source.isLayer
            && Self.files.contains { LexicalPath.areSame($0.0, source.destination) && source.components.areSame(as: bundle + $0.1) }
    }
}
