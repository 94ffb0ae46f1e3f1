// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import MountPointChain
import PluginClient
import SystemPackage

/// A plugin of the chain that answers on a socket.
final class SocketPlugin: ChainedPlugin {
    let name: String
    private let loader: PluginLoader
    private var loaded: LoadedPlugin?

    init(name: String, loader: PluginLoader) {
        self.name = name
        self.loader = loader
    }

    func properties() throws(PluginFailure) -> MountPointProperties { try load().properties }

    func attach(_ request: MountPointAttachRequest, committing record: PreparedRecord) throws(PluginFailure) -> [Attachment] {
        let body = try call(.attach, record, request.write)
        let response = try decode(.attach) { () throws(ResponseError) in try MountPointAttachResponse(body.span) }
        guard response.success else { throw PluginFailure(.refused, response.err) }
        return response.attachments
    }

    func mounted(_ request: MountPointMountedRequest) throws(PluginFailure) {
        let body = try call(.mounted, nil, request.write)
        let response = try decode(.mounted) { () throws(ResponseError) in try MountPointMountedResponse(body.span) }
        guard response.success else { throw PluginFailure(.refused, response.err) }
    }

    func detach(_ container: String, committing record: PreparedRecord?) throws(PluginFailure) -> MountPointDetachResponse {
        let body = try call(.detach, record, MountPointDetachRequest(id: container).write)
        return try decode(.detach) { () throws(ResponseError) in try MountPointDetachResponse(body.span) }
    }

    /// One that has been restarted since the last time, or has left the chain, is asked for its properties again.
    private func load() throws(PluginFailure) -> LoadedPlugin {
        if let loaded { return loaded }
        do throws(PluginClientError) {
            let plugin = try loader.load(name)
            loaded = plugin
            return plugin
        } catch {
            throw PluginFailure(.notSent, Self.words(error, of: .properties))
        }
    }

    private func call(
        _ method: MountPointMethod, _ record: PreparedRecord?, _ write: (inout JSONWriter) -> Void
    ) throws(PluginFailure) -> [UInt8] {
        let endpoint = try load().endpoint
        var writer = JSONWriter()
        write(&writer)
        do throws(PluginClientError) {
            return try PluginClient(endpoint, timeout: loader.timeout)
                .call(method.rawValue, writer.bytes, committing: record.map { ($0.draft, $0.path) })
        } catch {
            let kind: PluginFailure.Kind =
                switch error.kind {
                case .notSent: .notSent
                case .notRecorded: .notRecorded
                case .refused: .refused
                case .unclear: .unclear
                }
            throw PluginFailure(kind, Self.words(error, of: method))
        }
    }

    /// As Docker's own client words it: the method before the plugin's own words.
    private static func words(_ error: PluginClientError, of method: MountPointMethod) -> String {
        guard case .refused(let status, let words) = error.kind else { return error.message }
        return "\(method.rawValue.dropFirst()): \(words.isEmpty ? "HTTP status \(status)" : words)"
    }

    private func decode<Response>(
        _ method: MountPointMethod, _ body: () throws(ResponseError) -> Response
    ) throws(PluginFailure) -> Response {
        do throws(ResponseError) {
            return try body()
        } catch {
            throw PluginFailure(.unclear, "its answer to \(method.rawValue.dropFirst()) cannot be understood: \(error)")
        }
    }
}

extension PluginLoader {
    /// - Parameter timeout: seconds, for each call.
    init(places: RuntimePlaces, timeout: Double) {
        let limit = Duration.milliseconds(Int64(timeout * 1000))
        self.init(
            discovery: PluginDiscovery(), kept: KeptAnswers(FilePath(places.state).appending("plugins"), patience: limit), timeout: limit)
    }

    func plugin(_ name: String) -> SocketPlugin { SocketPlugin(name: name, loader: self) }
}
