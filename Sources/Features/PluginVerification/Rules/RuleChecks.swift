// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem

/// Rules that belong together. Each check gives what is wrong, a line each.
protocol RuleChecks {
    var verification: Verification { get }
}

// What the rules have in common.
extension RuleChecks {
    var subject: Subject { verification.subject }
    var settings: VerificationSettings { verification.settings }

    /// What the plugin says of itself.
    ///
    /// - Throws: `RuleEnd`, not tried, if it says nothing that can be read.
    func properties() throws(RuleEnd) -> MountPointProperties {
        if let known = verification.knownProperties { return known }
        guard case .yes(let properties) = try subject.properties() else {
            throw .notTried("Properties cannot be read, see \(VerificationRule.patterns.rawValue)")
        }
        verification.knownProperties = properties
        return properties
    }

    /// A mount that the plugin is asked about.
    ///
    /// - Throws: `RuleEnd`, not tried, if none is known.
    func mount() throws(RuleEnd) -> MountPoint {
        if let mount = settings.mounts.first { return mount }
        if let mount = MountExample.mount(of: verification.source.path, matching: try properties().patterns) { return mount }
        throw .notTried("no mount could be made up that the plugin's patterns match; give one with --mount")
    }

    /// Has the plugin attach the mount.
    ///
    /// - Throws: `RuleEnd`, not tried, if it denies.
    func attach(_ id: String, _ mounts: [MountPoint]? = nil) throws(RuleEnd) -> [Attachment] {
        let mounts = if let mounts { mounts } else { [try mount()] }
        switch try subject.attach(id, mounts) {
        case .yes(let attachments): return Array(attachments.prefix(mounts.count))
        case .no(let words): throw .notTried("the plugin denied the mount: \(words); give one that it takes with --mount")
        case .nonsense(let why):
            throw .notTried("the answer to Attach cannot be read (\(why)), see \(VerificationRule.attachOfMany.rawValue)")
        }
    }

    /// The same with a mount in which it takes part.
    func attachTakingPart(_ id: String) throws(RuleEnd) -> [Attachment] {
        let attachments = try attach(id)
        if attachments.contains(where: \.attach) { return attachments }
        cleanUp(id)
        throw .notTried("the plugin takes no part in the mount; give one in which it does with --mount")
    }

    /// - Throws: `RuleEnd`, broken, if it does not.
    func detach(_ id: String) throws(RuleEnd) {
        switch try subject.detach(id) {
        case .yes: return
        case .no(let words): throw .broken("Detach of a container that was attached failed: \(words)")
        case .nonsense(let why): throw .broken("the answer to Detach cannot be read: \(why)")
        }
    }

    /// Detaches without judging.
    func cleanUp(_ id: String) { _ = try? subject.detach(id) }

    /// - Throws: `RuleEnd`, not tried, if that rule is broken, and this one would only say so again.
    func need(_ rule: VerificationRule) throws(RuleEnd) {
        if case .broken = verification.outcomes[rule] { throw .notTried("\(rule.rawValue) is broken") }
    }

    /// Makes calls of each method if none has been made, for the rules about all calls.
    func exercise() {
        if !subject.records.isEmpty { return }
        _ = try? subject.activate()
        _ = try? subject.properties()
        let id = subject.newID()
        _ = try? attach(id)
        _ = try? subject.detach(id)
    }
}
