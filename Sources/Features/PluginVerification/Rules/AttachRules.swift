// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem

/// V5 to V8: what a plugin answers to Attach.
struct AttachRules: RuleChecks {
    let verification: Verification

    func checkAttachOfNothing() throws(RuleEnd) -> [String] {
        let id = subject.newID()
        defer { cleanUp(id) }
        switch try subject.attach(id, []) {
        case .yes(let attachments):
            return attachments.contains(where: \.attach) ? ["it takes part in a mount though there was none"] : []
        case .no(let words): return ["it was refused: \(words)"]
        case .nonsense(let why): return [why]
        }
    }

    func checkAttachOfMany() throws(RuleEnd) -> [String] {
        let mount = try mount()
        for count in [1, 100] {
            let id = subject.newID()
            let mounts = (0..<count).map { number in
                var copy = mount
                if number > 0 { copy.destination += "-\(number)" }
                return copy
            }
            defer { cleanUp(id) }
            switch try subject.attach(id, mounts) {
            case .yes(let attachments) where attachments.count > count:
                return ["of \(count) mounts it gave \(attachments.count) attachments; those past the end are of no mount"]
            case .yes: continue
            case .no(let words): throw .notTried("the plugin denied \(count) mounts: \(words); give one that it takes with --mount")
            case .nonsense(let why): return ["of \(count) mounts: \(why)"]
            }
        }
        return []
    }

    func checkEffectiveSource() throws(RuleEnd) -> [String] {
        let id = subject.newID()
        let attachments = try attach(id)
        defer { cleanUp(id) }
        return try Traces.newSources(attachments, mount()).compactMap { source in
            let shown = SanitizedText(source, limit: 200)
            if source.utf8.first != UInt8(ascii: "/") { return "the new source \"\(shown)\" is no absolute path" }
            return Traces.isThere(source) ? nil : "the new source \(shown) is not there after Attach has answered"
        }
    }

    func checkEmergencyDetach() throws(RuleEnd) -> [String] {
        let id = subject.newID()
        let before = Traces.mounts()
        let attachments = try attachTakingPart(id)
        defer { cleanUp(id) }
        return try emergencyFaults(attachments, mountsBefore: before)
    }

    /// What is wrong with emergency actions, which root will carry out.
    func emergencyFaults(_ attachments: [Attachment], mountsBefore: Set<Traces.SeenMount>) throws(RuleEnd) -> [String] {
        let mount = try mount()
        var faults: [String] = []
        for attachment in attachments where attachment.attach && attachment.emergencyDetach.isEmpty {
            faults.append(
                "an attached mount has no EmergencyDetach, so that the host must fail if the plugin is away; [{}] says that nothing is to be done"
            )
        }
        let come = Traces.mounts().subtracting(mountsBefore)
        for action in Traces.actions(attachments) {
            switch action {
            case .unmount(let path):
                if let fault = Self.fault(of: path, mount) {
                    faults.append("Unmount: \(fault)")
                } else if !come.contains(where: { $0.path.utf8.elementsEqual(path.utf8) }) {
                    faults.append("Unmount: \(SanitizedText(path, limit: 200)) is no mount that came with Attach")
                }
            case .remove(let path): if let fault = Self.fault(of: path, mount) { faults.append("Remove: \(fault)") }
            case .nothing, .warning, .error, .fatal: continue
            }
        }
        return faults
    }

    private static func fault(of path: String, _ mount: MountPoint) -> String? {
        let shown = SanitizedText(path, limit: 200)
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst()
        guard path.utf8.first == UInt8(ascii: "/") else { return "\"\(shown)\" is no absolute path" }
        if parts.contains(where: { $0.isEmpty || $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }) {
            return "\(shown) is no plain path: it has an empty part, . or .. in it"
        }
        for source in [mount.source, mount.effectiveSource] where !source.isEmpty {
            if (source + "/").utf8.starts(with: (path + "/").utf8) { return "\(shown) is the mount's own source, or above it" }
        }
        return nil
    }
}
