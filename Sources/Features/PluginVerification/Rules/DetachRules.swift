// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem

/// V9 to V13: what is left when containers end, and several at once.
struct DetachRules: RuleChecks {
    let verification: Verification

    func checkDetachUndoes() throws(RuleEnd) -> [String] {
        let mount = try mount()
        let (before, tree) = (Traces.mounts(), Traces.tree(mount.effectiveSource))
        let id = subject.newID()
        let attachments = try attach(id)
        let during = Traces.mounts()
        try detach(id)
        var faults = leftovers(attachments, before: before, during: during)
        if Traces.tree(mount.effectiveSource) != tree {
            faults.append("the source is not as it was: \(Self.difference(tree, Traces.tree(mount.effectiveSource)))")
        }
        return faults
    }

    /// What has come with Attach and is still there.
    func leftovers(_ attachments: [Attachment], before: Set<Traces.SeenMount>, during: Set<Traces.SeenMount>) -> [String] {
        let after = Traces.mounts()
        // What an earlier try has left may be in use again, and then was there before this one.
        let own = Set(Traces.unmounts(attachments)).subtracting(verification.placesBefore).intersection(after.map(\.path))
        let left = own.union(during.subtracting(before).intersection(after).map(\.path))
        let mounts = left.map { "the mount \(SanitizedText($0)) is left" }
        // What was there before is the matter of V8.
        let source = ((try? mount())?.effectiveSource ?? "") + "/"
        let files = Traces.removals(attachments).filter { Traces.isThere($0) && !source.utf8.starts(with: ($0 + "/").utf8) }.map {
            "\(SanitizedText($0)) is left"
        }
        return mounts.sorted() + files
    }

    private static func difference(_ old: [String], _ new: [String]) -> String {
        let (gone, come) = (old.filter { !new.contains($0) }, new.filter { !old.contains($0) })
        return SanitizedText((gone.map { "- \($0)" } + come.map { "+ \($0)" }).joined(separator: "; "), limit: 500).text
    }

    func checkUnknownDetach() throws(RuleEnd) -> [String] {
        switch try subject.detach(subject.newID()) {
        case .yes: return []
        case .no(let words): return ["it was refused: \(words); a host asks for containers whose Attach was never answered, too"]
        case .nonsense(let why): return [why]
        }
    }

    func checkAttachAgain() throws(RuleEnd) -> [String] {
        let id = subject.newID()
        _ = try attach(id)
        cleanUp(id)
        defer { cleanUp(id) }
        switch try subject.attach(id, [try mount()]) {
        case .yes: return []
        case .no(let words): return ["the second Attach was refused: \(words); a container that is started again has the same ID"]
        case .nonsense(let why): return [why]
        }
    }

    func checkTwoContainers() throws(RuleEnd) -> [String] {
        let (first, second) = (subject.newID(), subject.newID())
        _ = try attach(first)
        defer {
            cleanUp(first)
            cleanUp(second)
        }
        let sources = try Traces.newSources(attach(second), mount()).filter(Traces.isThere)
        cleanUp(first)
        return sources.filter { !Traces.isThere($0) }.map {
            "the source \(SanitizedText($0)) of one container was gone when another one detached"
        }
    }

    func checkConcurrentAttach() throws(RuleEnd) -> [String] {
        let mount = try mount()
        let alone = subject.newID()
        _ = try attach(alone)
        cleanUp(alone)
        let ids = (0..<8).map { _ in subject.newID() }
        defer { for id in ids { cleanUp(id) } }
        var started: [Subject.Started] = []
        for id in ids { started.append(try subject.start(MountPointMethod.attach.rawValue, Subject.attachBody(id, [mount]))) }
        var faults: [String] = []
        for call in started {
            switch subject.readAttach(try subject.finish(call)) {
            case .yes: continue
            case .no(let words): faults.append("of \(ids.count) at once one was refused, which alone is not: \(words)")
            case .nonsense(let why): faults.append(why)
            }
        }
        return Array(faults.prefix(1))
    }

    func checkLeaks() throws(RuleEnd) -> [String] {
        try need(.detachUndoes)
        for _ in 0..<10 { try cycle() }
        guard let process = subject.process, let before = Traces.descriptors(of: process) else {
            throw .notTried("the plugin's process cannot be seen; run this as root, on the plugin's own host")
        }
        let mounts = Traces.mounts().count
        for _ in 0..<settings.cycles { try cycle() }
        guard let after = Traces.descriptors(of: process) else { return ["its process \(process) has ended meanwhile"] }
        // A few come and go with the containers of others; a leak has one for each cycle.
        let allowed = max(settings.cycles / 2, 8)
        var faults: [String] = []
        if after - before > allowed { faults.append("\(settings.cycles) containers left \(after - before) descriptors open") }
        let left = Traces.mounts().count - mounts
        if left > allowed { faults.append("\(settings.cycles) containers left \(left) mounts") }
        return faults
    }

    private func cycle() throws(RuleEnd) {
        let id = subject.newID()
        _ = try attach(id)
        _ = try subject.detach(id)
    }
}
