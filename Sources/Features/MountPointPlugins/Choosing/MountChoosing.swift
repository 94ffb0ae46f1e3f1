// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem

/// Finds the mounts that a plugin was asked to take part in: by a label of the container, a label of the volume, a consistency word, or a
/// rule of the settings. The first of these that says something about a mount decides.
struct MountChoosing: Sendable {
    /// What is said about one mount.
    struct Choice: Sendable, Equatable {
        var options: String
        /// In words.
        var choice: String
        /// False for `*`.
        var isNamed = true
    }

    /// Of labels, `mountpoint.KIND` unless the settings name another.
    let key: String
    let rules: [ChoosingRule]
    private let information: KindInformation

    /// - Throws: `JSONShapeError` for a rule that nobody could match, or whose options the kind does not take.
    init(for kind: any PluginKind, settings: JSONObjectReader) throws(JSONShapeError) {
        information = type(of: kind).information
        guard information.isChosenByUsers else {
            key = ""
            rules = []
            return
        }
        key = try settings.textIfPresent("label") ?? "mountpoint.\(information.name)"
        if key.isEmpty { throw settings.error("must not be empty", at: "label") }
        rules = try settings.list("rules") { (object) throws(JSONShapeError) in
            let rule = try ChoosingRule(object)
            do throws(PluginError) { try kind.check(rule.options) } catch { throw object.error("is wrong: \(error)", at: "options") }
            return rule
        }
    }

    var patterns: [MountPointPattern] {
        guard information.isChosenByUsers else { return [] }
        let label = StringMapPattern(exists: [.init(key: StringPattern(exactly: key))])
        var ofContainer = MountPointPattern()
        ofContainer.container.labels = [label]
        var ofVolume = MountPointPattern()
        ofVolume.volume.labels = [label]
        let ofWords = information.consistencies.map { word, _ in
            var pattern = MountPointPattern()
            pattern.consistency = word
            return pattern
        }
        return [ofContainer, ofVolume] + ofWords + rules.map(\.pattern)
    }

    /// - Returns: for each mount what is said about it; nil for nothing.
    /// - Throws: `PluginError` for a label that names no mount, or options that the kind does not take: to pass over them would leave a
    ///   mount without what somebody relies on.
    func choices(for mounts: [MountPoint], checking kind: any PluginKind) throws(PluginError) -> [Choice?] {
        guard information.isChosenByUsers else { return mounts.map { _ in nil } }
        var label: MountLabel?
        // A label of an image cannot be taken away. An empty one asks for nothing by mistake, as where a variable was empty.
        if let text = mounts.first?.container.labels[key], !text.hasSameBytes(as: "none") {
            label = try MountLabel(text, key: key, destinations: mounts.filter { $0.type != .container }.map(\.destination))
        }
        var choices: [Choice?] = []
        for mount in mounts {
            let choice = mount.type == .container ? nil : choice(for: mount, label)
            if let choice { try check(choice.options, of: "\(mount.destination), \(choice.choice)", by: kind) }
            choices.append(choice)
        }
        // Those of "*" may be options of no mount.
        for entry in label?.entries ?? [] where entry.destination == nil {
            try check(entry.options, of: "*, container label \(key)", by: kind)
        }
        return choices
    }

    private func check(_ options: String, of place: String, by kind: any PluginKind) throws(PluginError) {
        do throws(PluginError) { try kind.check(options) } catch { throw PluginError("\(place): \(error)") }
    }

    private func choice(for mount: MountPoint, _ label: MountLabel?) -> Choice? {
        if let label, let options = label.options(for: mount.destination) {
            return Choice(options: options, choice: "container label \(key)", isNamed: label.names(mount.destination))
        }
        if let options = mount.volume.labels[key] { return Choice(options: options, choice: "volume label \(key)") }
        if let word = information.consistencies.first(where: { $0.word == mount.consistency }) {
            return Choice(options: word.options, choice: "consistency \(word.word.rawValue)")
        }
        guard let index = rules.firstIndex(where: { $0.matches(mount) }) else { return nil }
        return Choice(options: rules[index].options, choice: "rule \(index + 1)")
    }
}
