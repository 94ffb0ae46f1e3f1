// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import JSON
import LinuxSystem
import SystemPackage

/// `translate`: gives a container what a path means elsewhere: in another container, on another system, in a volume.
///
/// What the path has led to is mounted in a folder of the plugin's own, so that nobody who may write below a target can put a link in its
/// place afterwards.
public struct TranslateKind: PluginKind {
    public static var information: KindInformation {
        var information = KindInformation(name: "translate", summary: "mount what a path means in another container or on another system")
        information.optionsHelp = "the path to translate, in the place of the mount's source"
        information.looksAtOthers = true
        return information
    }

    let translation: Translation

    public init(settings: JSONObjectReader, instance: PluginInstance) throws(JSONShapeError) {
        translation = try Translation(settings, places: instance.places)
    }

    /// What `translate check` prints, and whether a container would get the path.
    ///
    /// - Throws: `PluginError` for settings that are wrong.
    public static func explanation(of path: String, _ instance: PluginInstance) throws(PluginError) -> (text: String, isUsable: Bool) {
        guard let kind = try InstanceSettings(of: Self.self, instance).kind as? TranslateKind else { return ("", false) }
        return kind.translation.explanation(of: path)
    }

    public var patterns: [MountPointPattern] {
        translation.rules.flatMap { rule in
            var pattern = MountPointPattern()
            pattern.type = .bind
            // No pattern ignores case, so the host asks about all binds then.
            if rule.ignoresCase { return [pattern] }
            var moved = pattern
            pattern.effectiveSource = [StringPattern(pathPrefix: rule.prefix)]
            // A plugin before this one may have moved it, which must not go unnoticed.
            moved.source = [StringPattern(pathPrefix: rule.prefix)]
            return [pattern, moved]
        }
    }

    public func check(_ options: String) throws(PluginError) {
        guard options.isEmpty || ForeignPath.absolute(options) != nil else {
            throw PluginError(
                "\(options) is no absolute path, or has .. in it; give the path to translate, or nothing for the mount's source")
        }
    }

    public func plan(_ chosen: ChosenMount) throws(PluginError) -> MountPlan? {
        let isAsked = !chosen.choice.isEmpty
        guard isAsked || chosen.mount.type == .bind else { return nil }
        try checkOrder(chosen.mount, isAsked: isAsked)
        let given = chosen.options.isEmpty ? chosen.mount.effectiveSource : chosen.options
        guard let path = ForeignPath.absolute(given) else { throw PluginError("\(given) is no absolute path, or has .. in it") }
        guard let (rule, rest) = translation.rule(for: path) else {
            if !isAsked { return nil }
            throw PluginError("no rule translates \(path); there are \(translation.rules.map(\.prefix).joined(separator: ", "))")
        }
        // A source that is where its rule leads anyway is translated all the same: its folder is then the container's own view of it.
        let found: TranslatedPath?
        do throws(PluginError) {
            found = try translation.translated(path, by: rule, rest: rest, making: false)
        } catch {
            guard rule.createsMissing else { throw PluginError("\(path) (\(rule.prefix) -> \(rule.text)): \(error)") }
            found = nil
        }
        let placeholders = placeholders(chosen, path, rule)
        return MountPlan(
            changes: MountPointChanges(effectiveSource: chosen.folder),
            record: [
                "path": .string(path), "rule": .string(rule.prefix), "target": .string(found?.path ?? rule.text),
                "placeholders": .array(placeholders.map(JSONValue.string)),
            ], emergency: PlacedMount.emergency(chosen.folder, copyOf: (try? found?.file.path()) ?? chosen.folder))
    }

    public func denied(_ mounts: [ChosenMount]) {
        let placeholders = mounts.map { mount -> [String] in
            guard let path = ForeignPath.absolute(mount.mount.effectiveSource), let (rule, _) = translation.rule(for: path) else {
                return []
            }
            return self.placeholders(mount, path, rule)
        }
        for folders in placeholders { Placeholders.remove(folders) }
    }

    /// What an engine has made for the path.
    private func placeholders(_ chosen: ChosenMount, _ path: String, _ rule: TranslationRule) -> [String] {
        guard rule.removesCreated, chosen.options.isEmpty, chosen.mount.type == .bind else { return [] }
        let root = (try? chosen.mount.container.uidMappings.hostID(of: 0)) ?? 0
        let made = translation.folder(ofContainer: chosen.containerID)
        return Placeholders.folders(of: path, upTo: rule.prefix, madeAfter: made, root: root)
    }

    /// Behind a plugin that has moved the mount, the path that was asked for is no longer to be seen, or what that plugin made would be lost.
    private func checkOrder(_ mount: MountPoint, isAsked: Bool) throws(PluginError) {
        guard let mover = mount.mover else { return }
        guard isAsked || ForeignPath.absolute(mount.source).flatMap({ translation.rule(for: $0) }) != nil else { return }
        let what = mount.volume.name.isEmpty ? mount.source : "the volume \(mount.volume.name)"
        throw PluginError(
            "\(mount.destination): \(mover) has been asked before translate and has moved \(what); let translate come first in the chain")
    }

    public func carryOut(_ mount: KeptMount) throws(PluginError) {
        let path = mount.record["path"]?.stringValue ?? ""
        guard let (rule, rest) = translation.rule(for: path) else { throw PluginError("no rule translates \(path) any more") }
        let found = try translation.translated(path, by: rule, rest: rest, making: true)
        do throws(SystemError) {
            let copy = try found.file.clone(recursively: true)
            try copy.leavePeers()
            try PlacedMount.make(copy, at: mount.folder, isFolder: found.file.isFolder)
        } catch {
            throw PluginError("\(found.path) cannot be mounted: \(error)")
        }
    }

    public func undo(_ mount: KeptMount, _ end: ContainerEnd) throws(DetachError) -> DetachError? {
        do throws(SystemError) { try PlacedMount.remove(mount.folder) } catch {
            throw DetachError(
                "what \(mount.source) was translated to cannot be taken away: \(error); see who uses it with fuser -m \(mount.folder)",
                isRecoverable: true)
        }
        Placeholders.remove((mount.record["placeholders"]?.arrayValue ?? []).compactMap(\.stringValue))
        return nil
    }

    public static func findings(on instance: PluginInstance) -> [PluginFinding] {
        do throws(SystemError) {
            let root = try PinnedFile(at: "/")
            _ = try PinnedFile(at: ".", beneath: root)
            try root.clone(recursively: false).leavePeers()
            return [PluginFinding(.ok, "translate: this kernel looks paths up below a folder, and copies mounts")]
        } catch {
            return [
                PluginFinding(
                    .failed, "translate: a path cannot be looked up below a folder, or a mount not be copied (Linux 5.12): \(error)")
            ]
        }
    }
}
