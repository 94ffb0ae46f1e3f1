// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LexicalPaths
import LinuxSystem

/// What becomes of a mount. The raw values are the settings' words.
enum PolicyAction: String, Sendable, CaseIterable {
    case allow
    case readOnly = "read-only"
    case deny
}

/// An entry of the policy's `rules`.
struct PolicyRule: Sendable {
    /// What a condition says of a mount.
    enum Answer: Sendable {
        case no, yes
        /// The host does not tell enough.
        case unknown
    }

    /// How a mount and the places of a rule lie to one another.
    enum Reach: Sendable, Equatable {
        case none
        /// The mount shows a place of the rule, and more.
        case part(String)
        /// The mount shows nothing but places of the rule.
        case whole(String)
    }

    var action: PolicyAction
    /// As messages name it.
    var name: String
    /// What `docker run` is to print.
    var reason: String
    var preset: PolicyPreset?
    var sources: [String]
    var type: MountPoint.MountType?
    var driver: Wildcard?
    var volume: Wildcard?
    var destination: Wildcard?
    var image: Wildcard?
    var container: Wildcard?
    var labels: [(key: String, value: Wildcard)]
    var imageLabels: [(key: String, value: Wildcard)]
    var driverOptions: [(key: String, value: Wildcard)]

    /// Whether it is about places of the host.
    var hasPlaces: Bool { preset != nil || !sources.isEmpty }

    /// - Parameter places: those that the rule names, with the preset's.
    static func reach(of places: [String], in shown: [String]) -> Reach {
        var found: String?
        var isWhole = true
        for path in shown {
            let inside = places.first { LexicalPath.isSame($0, orAbove: path) }
            let below = inside ?? places.first { LexicalPath.isSame(path, orAbove: $0) }
            found = found ?? below
            isWhole = isWhole && inside != nil
        }
        guard let found else { return .none }
        return isWhole ? .whole(found) : .part(found)
    }

    /// Whether all but the places hold.
    func conditions(for mount: MountPoint) -> Answer {
        var answer = Answer.yes
        func require(_ condition: Bool, isKnown: Bool = true) {
            if !isKnown {
                if answer == .yes { answer = .unknown }
            } else if !condition {
                answer = .no
            }
        }
        if let type { require(type == mount.type) }
        if let driver {
            require(
                mount.type == .volume && driver.matches(mount.volume.driver), isKnown: mount.type != .volume || !mount.volume.driver.isEmpty
            )
        }
        if let volume { require(volume.matches(mount.volume.name), isKnown: mount.type != .volume || !mount.volume.name.isEmpty) }
        if let destination { require(destination.matches(mount.destination)) }
        if let image {
            require(
                Self.names(of: mount.image).contains(where: image.matches), isKnown: !mount.image.name.isEmpty || !mount.image.id.isEmpty)
        }
        if let container { require(container.matches(mount.container.name), isKnown: !mount.container.name.isEmpty) }
        for (key, value) in labels { require(mount.container.labels[key].map(value.matches) ?? false) }
        for (key, value) in imageLabels { require(mount.image.labels[key].map(value.matches) ?? false) }
        for (key, value) in driverOptions {
            let given = [mount.volume.options[key], mount.volume.driverOptions[key]].compactMap(\.self)
            require(given.contains(where: value.matches))
        }
        return answer
    }

    /// As its creator spelled it, without what Docker adds to short names, and by its digest.
    private static func names(of image: MountPoint.Image) -> [String] {
        var names = [image.name, image.id]
        for prefix in ["docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/"]
        where image.name.hasBytePrefix(prefix) {
            names.append(String(decoding: image.name.utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
        }
        return names.filter { !$0.isEmpty }
    }

    // MARK: Asking

    /// Which mounts it may be about, as far as the protocol can say it.
    func patterns(of places: [String]) -> [MountPointPattern] {
        var base = MountPointPattern()
        base.type = type
        base.volume.driver = driver.map { [$0.pattern] } ?? []
        base.volume.name = volume.map { [$0.pattern] } ?? []
        base.destination = destination.map { [$0.pattern] } ?? []
        base.container.labels = Self.patterns(labels)
        base.image.labels = Self.patterns(imageLabels)
        guard hasPlaces else { return [base] }
        return places.flatMap { place in
            [StringPattern(pathPrefix: place), StringPattern(pathContains: place)].map { origin in
                var pattern = base
                pattern.origin = [origin]
                return pattern
            }
        }
    }

    private static func patterns(_ labels: [(key: String, value: Wildcard)]) -> [StringMapPattern] {
        labels.map { StringMapPattern(exists: [.init(key: StringPattern(exactly: $0.key), value: $0.value.pattern)]) }
    }
}

extension PolicyRule {
    /// - Parameter number: of the rule, from 1 on.
    init(_ object: JSONObjectReader, number: Int) throws(JSONShapeError) {
        let word = try object.requiredText("action")
        guard let action = PolicyAction.allCases.first(where: { $0.rawValue.hasSameBytes(as: word) }) else {
            throw object.error("must be deny, read-only or allow, not \(word)", at: "action")
        }
        self.action = action
        let given = try object.text("name")
        name = given.isEmpty ? "rule \(number)" : "rule \(number), \(given)"
        reason = try object.text("reason")
        preset = nil
        if let word = try object.textIfPresent("preset") {
            guard let known = PolicyPreset.allCases.first(where: { $0.rawValue.hasSameBytes(as: word) }) else {
                let all = PolicyPreset.allCases.map(\.rawValue).joined(separator: ", ")
                throw object.error("must be one of \(all), not \(word)", at: "preset")
            }
            if action == .allow { throw object.error("must be denied or read-only; what may be seen is named by source", at: "preset") }
            preset = known
            if given.isEmpty { name = "rule \(number), \(known.rawValue)" }
        }
        sources = try object.texts("source")
        for source in sources where source.utf8.first != UInt8(ascii: "/") {
            throw object.error("must be absolute paths, not \(source)", at: "source")
        }
        if object.has("source") && sources.isEmpty { throw object.error("must have a path in it", at: "source") }
        type = try object.textIfPresent("type").map(MountPoint.MountType.init(rawValue:))
        if let type, type != .bind && type != .volume { throw object.error("must be bind or volume", at: "type") }
        driver = try object.textIfPresent("driver").map(Wildcard.init)
        volume = try object.textIfPresent("volume").map(Wildcard.init)
        destination = try object.textIfPresent("destination").map(Wildcard.init)
        image = try object.textIfPresent("image").map(Wildcard.init)
        container = try object.textIfPresent("container").map(Wildcard.init)
        labels = try Self.map("label", in: object)
        imageLabels = try Self.map("image-label", in: object)
        driverOptions = try Self.map("options", in: object)
    }

    private static func map(_ key: String, in object: JSONObjectReader) throws(JSONShapeError) -> [(key: String, value: Wildcard)] {
        var map: [(key: String, value: Wildcard)] = []
        try object.forEachText(in: key) { _, key, text in map.append((key, Wildcard(text))) }
        return map
    }
}
