// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

/// Recognises the mounts that one engine makes for itself, by config.json and the bundle's path alone.
///
/// A user must not be able to make a mount look like one of the engine's own. A container's id is drawn after its mounts were given, so a
/// source with the container's own id at the right place is the engine's. A user can know the id of another container. So a source with
/// such an id counts only below a folder that also has files of this container, and only at destinations where engines mount such files.
protocol EngineMounts {
    var engine: ContainerEngine { get }

    /// Whether the engine has mounted it for itself.
    func isOwn(_ source: HostSource) -> Bool
    /// The named volume that it is, if it is one.
    func volume(_ source: HostSource) -> MountPoint.Volume?
}

extension EngineMounts {
    func volume(_: HostSource) -> MountPoint.Volume? { nil }
}

/// A user without an engine, or an unknown engine: every mount is the user's.
struct UnknownEngineMounts: EngineMounts {
    var engine: ContainerEngine { .other }
    func isOwn(_: HostSource) -> Bool { false }
}

/// Comparison of path components by their bytes.
extension Collection<String> {
    func areSame(as others: [String]) -> Bool { count == others.count && zip(self, others).allSatisfy { $0.utf8.elementsEqual($1.utf8) } }

    func contains(bytesOf text: String) -> Bool { contains { $0.utf8.elementsEqual(text.utf8) } }
}
