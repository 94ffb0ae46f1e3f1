// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import MountPointChain

/// A plugin of the chain whose requests and answers are recorded.
final class AskedPlugin: ChainedPlugin {
    private let plugin: any ChainedPlugin
    private let isInterrupted: () -> Bool

    /// Once it has been asked for them.
    private(set) var knownProperties: MountPointProperties?
    /// What was sent, or would be.
    private(set) var request: MountPointAttachRequest?
    private(set) var attachments: [Attachment]?
    /// Of the question to attach.
    private(set) var failure: ChainedPluginError?
    private(set) var duration: Duration?
    private(set) var detached: MountPointDetachResponse?
    private(set) var detachFailure: ChainedPluginError?

    var name: String { plugin.name }

    /// - Parameter isInterrupted: whether the user has interrupted the command; then no further plugin is asked to attach.
    init(_ plugin: any ChainedPlugin, isInterrupted: @escaping () -> Bool) {
        self.plugin = plugin
        self.isInterrupted = isInterrupted
    }

    func properties() throws(ChainedPluginError) -> MountPointProperties {
        let found = try plugin.properties()
        knownProperties = found
        return found
    }

    /// Sets the request that it would get if no plugin before it changed anything. Sends nothing.
    func wouldBeAsked(_ id: String, about mounts: [MountPoint]) {
        guard let properties = knownProperties else { return }
        let wanted = mounts.filter(properties.wants)
        if !wanted.isEmpty { request = MountPointAttachRequest(id: id, mounts: wanted, hasFlatVolume: properties.hasFlatVolume) }
    }

    func attach(_ request: MountPointAttachRequest, committing rename: PreparedRename) throws(ChainedPluginError) -> [Attachment] {
        if isInterrupted() { throw ChainedPluginError(.notSent, "interrupted; it was not asked") }
        self.request = request
        let start = ContinuousClock.now
        defer { duration = ContinuousClock.now - start }
        do throws(ChainedPluginError) {
            let found = try plugin.attach(request, committing: rename)
            attachments = found
            return found
        } catch {
            failure = error
            throw error
        }
    }

    func mounted(_ request: MountPointMountedRequest) throws(ChainedPluginError) { try plugin.mounted(request) }

    func detach(
        _ request: MountPointDetachRequest, within seconds: Double?, committing rename: PreparedRename?
    ) throws(ChainedPluginError) -> MountPointDetachResponse {
        do throws(ChainedPluginError) {
            let response = try plugin.detach(request, within: seconds, committing: rename)
            detached = response
            return response
        } catch {
            detachFailure = error
            throw error
        }
    }

    /// For each mount that it was asked about, the first pattern that it matches: its number, from 1, and its JSON.
    var matches: [(destination: String, number: Int, pattern: JSONValue)] {
        guard let properties = knownProperties, let request else { return [] }
        return request.mounts.compactMap { mount in
            guard let index = properties.patterns.firstIndex(where: { $0.matches(mount) }) else { return nil }
            return (mount.destination, index + 1, Self.json(properties, pattern: index))
        }
    }

    private static func json(_ properties: MountPointProperties, pattern index: Int) -> JSONValue {
        var one = properties
        one.patterns = [properties.patterns[index]]
        let document = Self.json { MountPointPropertiesResponse(properties: one).write(to: &$0) }
        return document["Patterns"]?.arrayValue?.first ?? [:]
    }

    /// What a message is as a document.
    static func json(_ write: (inout JSONWriter) -> Void) -> JSONValue {
        var writer = JSONWriter()
        write(&writer)
        return (try? JSONValue(parsing: writer.bytes)) ?? .null
    }

    var requestJSON: JSONValue? { request.map { request in Self.json { request.write(to: &$0) } } }

    var answerJSON: JSONValue? {
        if let attachments { return Self.json { MountPointAttachResponse(attachments: attachments).write(to: &$0) } }
        return nil
    }
}

/// A store for calls without a container: nothing is kept, since no other process has anything to undo.
struct TransientStackStore: AppliedStackStore {
    func write(_ stack: AppliedStack) {}
    func prepare(_ stack: AppliedStack) -> PreparedRename { .inMemory }
}
