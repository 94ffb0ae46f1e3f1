// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import JSON
import LinuxSystem
import SystemPackage

/// `policy`: denies mounts, or makes them read-only, by the rules of its settings. What it cannot decide, it denies.
public struct PolicyKind: PluginKind {
    public static var information: KindInformation {
        var information = KindInformation(
            name: "policy", summary: "deny mounts, or make them read-only, by rules over what they show and who gets them")
        information.isChosenByUsers = false
        return information
    }

    let policy: Policy
    private let log: DenialLog
    private let state: FilePath

    public init(settings: JSONObjectReader, instance: PluginInstance) throws(JSONShapeError) {
        policy = try Policy(settings, places: instance.places)
        log = DenialLog(of: instance)
        state = instance.places.state
    }

    public var patterns: [MountPointPattern] { policy.patterns(homes: (try? Homes.ofHost())?.places ?? ["/"]) }

    public func check(_ options: String) throws(PluginError) {}

    public func plan(_ chosen: ChosenMount) throws(PluginError) -> MountPlan? {
        let decision = decide(on: chosen.mount)
        switch decision.action {
        case .allow: return nil
        case .deny:
            log.append(decision, chosen)
            throw PluginError("\(decision.text) (\(decision.rule))")
        case .readOnly:
            if chosen.mount.readOnly { return nil }
            // Nothing is to be undone, so that nothing is lost if this plugin is away when the container ends.
            return MountPlan(
                changes: MountPointChanges(readOnly: true), record: ["rule": .string(decision.rule), "why": .string(decision.text)],
                emergency: [.warning("policy was away when \(chosen.mount.destination) was unmounted")])
        }
    }

    /// What cannot be found out is denied.
    func decide(on mount: MountPoint) -> PolicyDecision {
        do throws(PluginError) {
            return policy.decide(on: mount, try PolicySurroundings(of: mount, looksBelow: policy.looksBelow, state: state))
        } catch {
            return PolicyDecision(action: .deny, rule: "undecided", text: "\(error)")
        }
    }

    public func carryOut(_ mount: KeptMount) throws(PluginError) {}

    public func undo(_ mount: KeptMount, _ end: ContainerEnd) throws(DetachError) -> DetachError? { nil }

    public static func findings(on instance: PluginInstance) -> [PluginFinding] {
        do throws(PluginError) { _ = try HostPaths() } catch { return [PluginFinding(.failed, "policy: \(error)")] }
        do throws(SystemError) { _ = try Homes.ofHost() } catch { return [PluginFinding(.failed, "policy: \(error)")] }
        return [PluginFinding(.ok, "policy: the mount table and the users of this host can be read")]
    }
}
