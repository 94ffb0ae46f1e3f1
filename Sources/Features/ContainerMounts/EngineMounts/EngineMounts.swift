// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

/// What is known of the mounts of one engine's containers by config.json and the bundle's place alone.
///
/// A user must not be able to make a mount look like one of the engine's own. A container's id is drawn after its mounts have been given,
/// so a source with the container's own id in the right place is the engine's; what belongs to another container, whose id could have
/// been known, counts only below a folder where something of this container's is, and only where engines mount such things.
protocol EngineMounts {
    var engine: EngineView.Engine { get }

    /// Whether the engine has mounted it for itself.
    func isOwn(_ source: HostSource) -> Bool
    /// The named volume that it is, if it is one.
    func volume(_ source: HostSource) -> MountPoint.Volume?
}

extension EngineMounts {
    func volume(_: HostSource) -> MountPoint.Volume? { nil }
}

/// A person, or an engine that is not known: every mount is the user's.
struct UnknownEngineMounts: EngineMounts {
    var engine: EngineView.Engine { .other }
    func isOwn(_: HostSource) -> Bool { false }
}

/// Names of a path, compared by their bytes.
extension Collection<String> {
    func areSame(as others: [String]) -> Bool { count == others.count && zip(self, others).allSatisfy { $0.utf8.elementsEqual($1.utf8) } }

    func contains(bytesOf text: String) -> Bool { contains { $0.utf8.elementsEqual(text.utf8) } }
}
