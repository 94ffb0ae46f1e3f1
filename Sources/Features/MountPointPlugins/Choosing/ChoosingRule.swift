// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LexicalPaths
import LinuxSystem

/// An entry of the setting `rules`: all that it names must hold for a mount.
struct ChoosingRule: Sendable {
    /// A folder or file of the host: it, or something in it, is the mount's source.
    var source: String?
    var volume: Wildcard?
    var destination: Wildcard?
    var type: MountPoint.MountType?
    var image: Wildcard?
    var container: Wildcard?
    var labels: [(key: String, value: Wildcard)] = []
    var options: String

    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        source = try object.textIfPresent("source")
        if let source, source.utf8.first != UInt8(ascii: "/") { throw object.error("must be an absolute path", at: "source") }
        volume = try object.textIfPresent("volume").map(Wildcard.init)
        destination = try object.textIfPresent("destination").map(Wildcard.init)
        image = try object.textIfPresent("image").map(Wildcard.init)
        container = try object.textIfPresent("container").map(Wildcard.init)
        if let type = try object.textIfPresent("type") {
            guard ["bind", "volume", "tmpfs"].contains(type) else { throw object.error("must be bind, volume or tmpfs", at: "type") }
            self.type = MountPoint.MountType(rawValue: type)
        }
        var labels: [(key: String, value: Wildcard)] = []
        try object.forEachText(in: "label") { _, key, text in labels.append((key, Wildcard(text))) }
        self.labels = labels
        options = try object.text("options")
        let names = [volume, destination, image, container]
        if source == nil && type == nil && labels.isEmpty && names.allSatisfy({ $0 == nil }) {
            throw object.error("must say which mounts: source, volume, destination, type, image, container or label")
        }
    }

    /// What the host can look at: in doubt, it asks, and ``matches(_:)`` decides.
    var pattern: MountPointPattern {
        var pattern = MountPointPattern()
        pattern.origin = source.map { [StringPattern(pathPrefix: $0)] } ?? []
        pattern.volume.name = volume.map { [$0.pattern] } ?? []
        pattern.destination = destination.map { [$0.pattern] } ?? []
        pattern.type = type
        pattern.container.labels = labels.map { label in
            StringMapPattern(exists: [.init(key: StringPattern(exactly: label.key), value: label.value.pattern)])
        }
        return pattern
    }

    func matches(_ mount: MountPoint) -> Bool {
        if let source {
            let names = mount.origin.isEmpty ? [mount.effectiveSource] : mount.origin
            guard names.contains(where: { !$0.isEmpty && LexicalPath.isSame(source, orAbove: $0) }) else { return false }
        }
        if let type, type != mount.type { return false }
        let texts: [(Wildcard?, String)] = [
            (volume, mount.volume.name), (destination, mount.destination), (image, mount.image.name), (container, mount.container.name),
        ]
        return texts.allSatisfy { wildcard, text in wildcard?.matches(text) ?? true }
            && labels.allSatisfy { label in mount.container.labels[label.key].map(label.value.matches) ?? false }
    }
}

extension Wildcard {
    /// As much of it as the protocol can say.
    var pattern: StringPattern {
        let bytes = Array(text.utf8)
        guard let star = bytes.firstIndex(of: UInt8(ascii: "*")) else {
            return bytes.isEmpty ? StringPattern(empty: true) : StringPattern(exactly: text)
        }
        return StringPattern(prefix: String(decoding: bytes[..<star], as: UTF8.self))
    }
}
