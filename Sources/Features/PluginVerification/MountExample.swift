// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain

/// Makes up a mount that a plugin asks for.
///
/// Only what is harmless is taken from a pattern: labels, words, names, the destination. A path of the host is not, since the plugin
/// would then act on it.
enum MountExample {
    /// - Returns: nil if no pattern can be met so.
    static func mount(of source: String, matching patterns: [MountPointPattern]) -> MountPoint? {
        let candidates = [plain(source)] + patterns.map { example(of: $0, source) }
        return candidates.first { candidate in patterns.contains { $0.matches(candidate) } }
    }

    private static func plain(_ source: String) -> MountPoint {
        var mount = MountPoint(type: .bind, source: source, destination: "/verification")
        mount.origin = [source]
        mount.container.name = "verification"
        mount.container.user = ContainerDescription.User(uid: 0, gid: 0)
        return mount
    }

    private static func example(of pattern: MountPointPattern, _ source: String) -> MountPoint {
        var mount = plain(source)
        mount.type = pattern.type ?? .bind
        mount.readOnly = pattern.readOnly ?? false
        mount.propagation = pattern.propagation ?? mount.propagation
        mount.consistency = pattern.consistency ?? mount.consistency
        mount.createSourceIfMissing = pattern.createSourceIfMissing ?? false
        mount.destination = text(pattern.destination) ?? mount.destination
        mount.mode = text(pattern.mode) ?? ""
        mount.container.labels = labels(pattern.container.labels)
        mount.image.labels = labels(pattern.image.labels)
        mount.volume.name = text(pattern.volume.name) ?? ""
        mount.volume.driver = text(pattern.volume.driver) ?? ""
        mount.volume.scope = pattern.volume.scope ?? .unspecified
        mount.volume.labels = labels(pattern.volume.labels)
        mount.volume.options = labels(pattern.volume.options)
        mount.volume.driverOptions = labels(pattern.volume.driverOptions)
        if pattern.volume != MountPointPattern.Volume() { mount.type = pattern.type ?? .volume }
        return mount
    }

    private static func text(_ patterns: [StringPattern]) -> String? { patterns.lazy.filter { !$0.not }.compactMap(text).first }

    private static func text(_ pattern: StringPattern) -> String? {
        if pattern.not { return nil }
        if !pattern.exactly.isEmpty { return pattern.exactly }
        let path = pattern.pathPrefix.isEmpty ? pattern.pathContains : pattern.pathPrefix
        let text = pattern.prefix + path + pattern.contains + pattern.suffix
        return text.isEmpty ? nil : text
    }

    private static func labels(_ patterns: [StringMapPattern]) -> StringMap {
        var map = StringMap()
        for element in patterns.filter({ !$0.not }).flatMap({ $0.exists }) {
            map[text(element.key) ?? "verification"] = text(element.value) ?? ""
        }
        return map
    }
}
