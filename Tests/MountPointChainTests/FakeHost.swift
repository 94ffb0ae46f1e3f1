// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import MountPointChain

/// Testing has one, too.
typealias Attachment = DockerPluginAPI.Attachment

/// A host with plugins, which writes down what happens in the order in which it happens.
///
/// Events: `a properties`, `a attach ID DEST=SOURCE …`, `a mounted ID PID DEST=SOURCE …`, `a detach ID`, `unmount /path`,
/// `remove /path`, `check /path`. A call that never reached the plugin is no event.
final class FakeHost {
    var events: [String] = []
    var log: [String] = []
    /// What the next process would find.
    private(set) var kept: AppliedStack?
    /// Every record that counted, one after the other: `a:attached b:detaching`.
    private(set) var history: [String] = []
    private var drafts: [String: [UInt8]] = [:]
    /// Whether and when records fail.
    var failingWrites = false
    var failingPrepares = false
    /// That can neither be removed nor unmounted nor mounted.
    var badPaths: Set<String> = []
    /// Where nothing is.
    var missingPaths: Set<String> = []
    /// Called whenever a moment has passed at which this process could be killed.
    var moment: (FakeHost) -> Void = { _ in }

    func commit(_ rename: PreparedRename) throws(ChainedPluginError) {
        guard rename.path == "/record", let draft = drafts.removeValue(forKey: rename.draft) else {
            throw ChainedPluginError(.notRecorded, "there is no draft \(rename.draft)")
        }
        keep(draft)
    }

    /// Goes through the bytes, so that every test of the chain is one of the coding as well.
    private func keep(_ bytes: [UInt8]) {
        guard let stack = try? AppliedStack(parsing: bytes.span) else {
            history.append("unreadable")
            return
        }
        kept = stack
        history.append(
            stack.plugins.map { "\($0.name):\($0.state.rawValue)" }.joined(separator: " ") + (stack.stopped == nil ? "" : " stopped"))
        moment(self)
    }

    func happened(_ event: String) {
        events.append(event)
        moment(self)
    }
}

extension FakeHost: AppliedStackStore {
    func write(_ stack: AppliedStack) throws(StackStoreError) {
        if failingWrites { throw StackStoreError("no space for the record") }
        keep(stack.encoded())
    }

    func prepare(_ stack: AppliedStack) throws(StackStoreError) -> PreparedRename {
        if failingPrepares { throw StackStoreError("no space for a draft") }
        let draft = "/draft\(drafts.count)"
        drafts[draft] = stack.encoded()
        moment(self)
        return PreparedRename(draft: draft, path: "/record")
    }
}

extension FakeHost: EmergencyActions {
    func remove(_ path: String) throws(EmergencyActionError) {
        happened("remove \(path)")
        if badPaths.contains(path) { throw EmergencyActionError("cannot remove \(path)") }
    }

    func unmount(_ path: String) throws(EmergencyActionError) {
        happened("unmount \(path)")
        if badPaths.contains(path) { throw EmergencyActionError("cannot unmount \(path)") }
    }

    func warn(_ text: String) { log.append(text) }

    func check(_ path: String) throws(SourceError) {
        happened("check \(path)")
        if missingPaths.contains(path) { throw SourceError("\(path) does not exist", isMissing: true) }
        if badPaths.contains(path) { throw SourceError("\(path) does not exist") }
    }
}

/// A plugin whose answers a test has given it; by default it attaches everything and detaches.
final class FakePlugin: ChainedPlugin {
    let name: String
    let host: FakeHost
    var answerProperties: Result<MountPointProperties, ChainedPluginError> = .success(MountPointProperties(patterns: [MountPointPattern()]))
    var answerAttach: Result<[Attachment], ChainedPluginError>?
    var answerMounted: ChainedPluginError?
    var answerDetach: Result<MountPointDetachResponse, ChainedPluginError> = .success(MountPointDetachResponse())
    private(set) var lastRequest: MountPointAttachRequest?
    private(set) var lastDetach: (request: MountPointDetachRequest, seconds: Double?)?

    init(_ name: String, on host: FakeHost) {
        self.name = name
        self.host = host
    }

    func properties() throws(ChainedPluginError) -> MountPointProperties {
        host.happened("\(name) properties")
        return try answerProperties.get()
    }

    func attach(_ request: MountPointAttachRequest, committing rename: PreparedRename) throws(ChainedPluginError) -> [Attachment] {
        if case .failure(let failure) = answerAttach, failure.kind == .notSent || failure.kind == .notRecorded { throw failure }
        try host.commit(rename)
        lastRequest = request
        host.happened("\(name) attach \(request.id) \(Self.text(request.mounts.map { ($0.destination, $0.effectiveSource) }))")
        let everything = request.mounts.map { Attachment(attach: true, emergencyDetach: [.unmount("/\(name)\($0.destination)")]) }
        return try answerAttach?.get() ?? everything
    }

    func mounted(_ request: MountPointMountedRequest) throws(ChainedPluginError) {
        host.happened(
            "\(name) mounted \(request.id) \(request.pid) \(Self.text(request.mounts.map { ($0.destination, $0.effectiveSource) }))")
        if let answerMounted { throw answerMounted }
    }

    func detach(
        _ request: MountPointDetachRequest, within seconds: Double?, committing rename: PreparedRename?
    ) throws(ChainedPluginError) -> MountPointDetachResponse {
        if case .failure(let failure) = answerDetach {
            if failure.kind == .notSent { throw failure }
            if failure.kind == .notRecorded && rename != nil { throw failure }
        }
        if let rename { try host.commit(rename) }
        lastDetach = (request, seconds)
        host.happened("\(name) detach \(request.id)")
        if case .failure(let failure) = answerDetach, failure.kind == .notRecorded { return MountPointDetachResponse() }
        return try answerDetach.get()
    }

    private static func text(_ mounts: [(destination: String, source: String)]) -> String {
        mounts.map { "\($0.destination)=\($0.source)" }.joined(separator: " ")
    }

    /// Asks only about the mount at that destination.
    func wants(_ destination: String) {
        answerProperties = .success(MountPointProperties(patterns: [.at(destination)]))
    }

    /// Attaches the first mount, with that source.
    func redirects(to source: String) {
        answerAttach = .success([Attachment(attach: true, changes: MountPointChanges(effectiveSource: source))])
    }
}

extension MountPointPattern {
    static func at(_ destination: String) -> MountPointPattern {
        var pattern = MountPointPattern()
        pattern.destination = [StringPattern(exactly: destination)]
        return pattern
    }
}

extension [FakePlugin] {
    /// Makes plugins of the names' letters.
    init(_ names: String, on host: FakeHost) { self = names.map { FakePlugin(String($0), on: host) } }

    func named(_ name: String) throws(ChainedPluginError) -> any ChainedPlugin {
        guard let plugin = first(where: { $0.name == name }) else { throw ChainedPluginError(.notSent, "there is no plugin \(name)") }
        return plugin
    }
}

/// Two mounts, `/x` from `/srv/x` and `/y` from `/srv/y`.
let twoMounts = ["x", "y"].map { MountPoint(type: .bind, source: "/srv/\($0)", destination: "/\($0)") }

extension FakeHost {
    func attach(_ plugins: [FakePlugin], _ mounts: [MountPoint] = twoMounts) throws(ChainError) -> AttachedMounts {
        try PluginChain(asking: plugins).attach(mounts, of: "0f", store: self, actions: self, checkingSource: check)
    }

    func askAgain(_ stack: inout AppliedStack, _ plugins: [FakePlugin], only name: String? = nil) -> UnwindingOutcome {
        stack.askAgain(container: "0f", only: name, store: self, actions: self, plugin: plugins.named)
    }

    /// Likewise, with paths that show the same; each look for them is an event, too.
    func attach(
        _ plugins: [FakePlugin], origins: @escaping (String) throws(SourceError) -> [String]
    ) throws(ChainError) -> AttachedMounts {
        try PluginChain(asking: plugins).attach(
            twoMounts, of: "0f", store: self, actions: self, checkingSource: check,
            findingOrigins: { (changed, mounts) throws(SourceError) in
                let sources = changed.map { mounts[$0].effectiveSource }
                happened("origins \(sources.joined(separator: " "))")
                var found: [[String]] = []
                for source in sources { found.append(try origins(source)) }
                return found
            })
    }

    func unwind(_ stack: inout AppliedStack, _ plugins: [FakePlugin]) -> UnwindingOutcome {
        stack.unwind(container: "0f", store: self, actions: self, plugin: plugins.named)
    }
}
