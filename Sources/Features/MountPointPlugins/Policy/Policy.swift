// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LexicalPaths
import LinuxSystem
import SystemPackage

/// The rules of the settings, and what they say of a mount. It looks at no file but those that ``PolicySurroundings`` has read.
struct Policy: Sendable {
    let rules: [PolicyRule]
    let standard: PolicyAction
    /// Whether a mount that shows what is mounted later is let through.
    let allowsLaterMounts: Bool
    /// Whether what is mounted below a source now is held against the rules, too.
    let looksBelow: Bool
    private let places: PluginPlaces
    /// Each rule's, with other names of the same place.
    private let placesOfRules: [[String]]

    /// - Throws: `JSONShapeError` for a rule that says nothing, or something unknown.
    init(_ object: JSONObjectReader, places: PluginPlaces) throws(JSONShapeError) {
        self.places = places
        var number = 0
        rules = try object.list("rules") { (object) throws(JSONShapeError) in
            number += 1
            return try PolicyRule(object, number: number)
        }
        standard = try Self.word("default", in: object, [.allow, .deny]) ?? .allow
        allowsLaterMounts = try Self.word("later-mounts", in: object, [.allow, .deny]) == .allow
        looksBelow = try Self.word("nested-mounts", in: object, [.allow, .deny]) != .allow
        placesOfRules = rules.map { rule in
            let named = rule.sources + (rule.preset?.places(of: places) ?? [])
            // A link in an allowed path may lead elsewhere by now, so there it is not followed.
            return rule.action == .allow ? named : Self.withoutLinks(named)
        }
    }

    private static func word(
        _ key: String, in object: JSONObjectReader, _ known: [PolicyAction]
    ) throws(JSONShapeError) -> PolicyAction? {
        guard let text = try object.textIfPresent(key) else { return nil }
        guard let action = known.first(where: { $0.rawValue.hasSameBytes(as: text) }) else {
            throw object.error("must be \(known.map(\.rawValue).joined(separator: " or ")), not \(text)", at: key)
        }
        return action
    }

    private static func withoutLinks(_ paths: [String]) -> [String] {
        var all = paths
        for path in paths {
            let resolved = resolvingSymbolicLinks(FilePath(path)).string
            if !all.contains(where: { $0.hasSameBytes(as: resolved) }) { all.append(resolved) }
        }
        return all
    }

    private var isEmpty: Bool { rules.isEmpty && standard == .allow }
    private var guardsPlaces: Bool { standard == .deny || rules.contains { $0.action != .allow && $0.hasPlaces } }

    /// Which mounts it has to look at: all of them, if something may lie below a source that no pattern can name.
    func patterns(homes: [String]) -> [MountPointPattern] {
        if isEmpty { return [] }
        if standard == .deny || (looksBelow && guardsPlaces) { return [MountPointPattern()] }
        var patterns = zip(rules, placesOfRules).flatMap { rule, places -> [MountPointPattern] in
            if rule.action == .allow { return [] }
            return rule.patterns(of: places + (rule.preset == .otherHomes ? homes : []))
        }
        for place in places.own {
            for origin in [StringPattern(pathPrefix: place), StringPattern(pathContains: place)] {
                var pattern = MountPointPattern()
                pattern.origin = [origin]
                patterns.append(pattern)
            }
        }
        if !allowsLaterMounts && guardsPlaces {
            patterns += Self.laterWords.map { word in
                var pattern = MountPointPattern()
                pattern.propagation = word
                return pattern
            }
        }
        return patterns
    }

    private static let laterWords: [MountPoint.Propagation] = ["rslave", "slave", "rshared", "shared"].map(MountPoint.Propagation.init)

    // MARK: Deciding

    /// What the rules say of a mount and of all that is mounted below its source; the strictest counts.
    func decide(on mount: MountPoint, _ surroundings: PolicySurroundings) -> PolicyDecision {
        var decision = decide(on: mount, showing: surroundings.shown, surroundings)
        for below in surroundings.below where decision.action != .deny && looksBelow {
            let other = decide(on: mount, showing: below, surroundings)
            if other.action.strictness > decision.action.strictness { decision = other }
        }
        if decision.action == .deny, let mover = mount.mover, mover.hasBytePrefix("copy-on-write"), surroundings.shown.contains("/") {
            decision.text += "; what \(mover) has made cannot be looked through: let policy come before it in the chain"
        }
        let isLater = Self.laterWords.contains(mount.propagation)
        if decision.action != .deny && isLater && guardsPlaces && !allowsLaterMounts {
            return PolicyDecision(
                action: .deny, rule: "later-mounts",
                text:
                    "\(mount.destination) would show what is mounted later below its source (\(mount.propagation.rawValue)); mount it without propagation"
            )
        }
        return decision
    }

    private func decide(on mount: MountPoint, showing shown: [String], _ surroundings: PolicySurroundings) -> PolicyDecision {
        // What a rule makes read-only that shows more than its places may still be denied for the rest.
        var partly: PolicyDecision?
        for (rule, places) in zip(rules, placesOfRules) {
            switch rule.conditions(for: mount) {
            case .no: continue
            case .unknown: if rule.action == .allow { continue }
            case .yes: break
            }
            let reach = reach(of: rule, places, shown, mount, surroundings)
            switch (rule.action, reach) {
            case (_, PolicyRule.Reach.none), (.allow, .part): continue
            case (.readOnly, .part(let place)): partly = partly ?? decision(rule, place, mount)
            case (_, .part(let place)), (_, .whole(let place)):
                let decision = decision(rule, place, mount)
                guard let partly, decision.action == .allow else { return decision }
                return partly
            }
        }
        if let place = ownPlace(in: shown, mount, surroundings), !isEmpty {
            return PolicyDecision(
                action: .deny, rule: "own places", text: "\(mount.destination) would show \(place), from where plugins are controlled")
        }
        if standard == .deny {
            return PolicyDecision(action: .deny, rule: "default", text: "\(mount.destination): no rule allows \(mount.shownSource)")
        }
        return partly ?? PolicyDecision(action: .allow, rule: "default", text: "")
    }

    private func reach(
        of rule: PolicyRule, _ places: [String], _ shown: [String], _ mount: MountPoint, _ surroundings: PolicySurroundings
    ) -> PolicyRule.Reach {
        guard rule.hasPlaces else { return .whole("") }
        let reach = PolicyRule.reach(of: places, in: shown)
        guard rule.preset == .otherHomes, case .none = reach else { return reach }
        guard let homes = surroundings.homes else { return .part("homes, which cannot be told apart here") }
        let uid = mount.container.hostUID
        // Nearly all containers run as root, who has no person's files.
        return homes.foreign(in: shown, to: uid == 0 ? nil : uid, owner: surroundings.owner).map { .part($0) } ?? .none
    }

    /// What plugins have mounted in their folders shows other places, too, or has been made for one container: whoever was given it by a
    /// plugin of the chain may have it, and nobody who asks for the folder.
    private func ownPlace(in shown: [String], _ mount: MountPoint, _ surroundings: PolicySurroundings) -> String? {
        let others = shown.filter { path in !surroundings.placed.contains { LexicalPath.isSame($0, orAbove: path) } }
        switch PolicyRule.reach(of: places.own, in: others.isEmpty && mount.mover == nil ? shown : others) {
        case .none: return nil
        case .part(let place), .whole(let place): return place
        }
    }

    private func decision(_ rule: PolicyRule, _ place: String, _ mount: MountPoint) -> PolicyDecision {
        let shows =
            place.isEmpty ? "\(mount.destination) (\(mount.shownSource)) is not allowed" : "\(mount.destination) would show \(place)"
        let text = rule.reason.isEmpty ? shows : "\(shows): \(rule.reason)"
        return PolicyDecision(action: rule.action, rule: rule.name, text: text)
    }
}

extension PolicyAction {
    fileprivate var strictness: Int {
        switch self {
        case .allow: 0
        case .readOnly: 1
        case .deny: 2
        }
    }
}

extension MountPoint {
    /// For messages.
    var shownSource: String { type == .volume && !volume.name.isEmpty ? "volume \(volume.name)" : source }
}

extension ContainerDescription {
    /// Whom its process runs as, in the host's numbers; nil if that is not known.
    var hostUID: UInt32? { user.flatMap { try? uidMappings.hostID(of: $0.uid) } }
}

/// What becomes of a mount, and why.
struct PolicyDecision: Sendable, Equatable {
    var action: PolicyAction
    /// Which rule says so.
    var rule: String
    /// For a person; empty if it is allowed by default.
    var text: String
}
