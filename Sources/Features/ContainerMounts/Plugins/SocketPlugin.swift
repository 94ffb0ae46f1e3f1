// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import MountPointChain
import PluginClient
import SystemPackage

/// A plugin of the chain that answers on a socket.
///
/// Each call waits for a plugin that is not running, since it may be restarting.
final class SocketPlugin: ChainedPlugin {
    let name: String
    private let loader: PluginLoader
    private let limits: CallLimits
    private var loaded: LoadedPlugin?

    init(name: String, loader: PluginLoader, limits: CallLimits = CallLimits()) {
        self.name = name
        self.loader = loader
        self.limits = limits
    }

    func properties() throws(ChainedPluginError) -> MountPointProperties {
        do throws(PluginClientError) {
            let plugin = try loader.load(name)
            loaded = plugin
            return limits.applied(to: plugin.properties, timeout: loader.timeout)
        } catch {
            throw ChainedPluginError(.notSent, Self.words(error, of: .properties), cause: error)
        }
    }

    func attach(_ request: MountPointAttachRequest, committing rename: PreparedRename) throws(ChainedPluginError) -> [Attachment] {
        let said = loaded.map { limits.applied(to: $0.properties, timeout: loader.timeout) }?.attachTimeout
        let timeout = said.map(Duration.seconds) ?? loader.timeout
        return try logged(.attach, request.id) { () throws(ChainedPluginError) in
            let body = try call(.attach, timeout, loader.patience, rename, request.write)
            let response = try decode(.attach) { () throws(ResponseError) in try MountPointAttachResponse(body.span) }
            guard response.success else { throw ChainedPluginError(.refused, response.err) }
            return response.attachments
        } outcome: {
            "attached \($0.count { $0.attach }) of \(request.mounts.count) mounts"
        }
    }

    func mounted(_ request: MountPointMountedRequest) throws(ChainedPluginError) {
        try logged(.mounted, request.id) { () throws(ChainedPluginError) in
            let body = try call(.mounted, loader.timeout, loader.patience, nil, request.write)
            let response = try decode(.mounted) { () throws(ResponseError) in try MountPointMountedResponse(body.span) }
            guard response.success else { throw ChainedPluginError(.refused, response.err) }
        } outcome: {
            "answered"
        }
    }

    /// Waits for the plugin as long as its detach may take: only the plugin can undo what it has attached.
    func detach(
        _ request: MountPointDetachRequest, within seconds: Double?, committing rename: PreparedRename?
    ) throws(ChainedPluginError) -> MountPointDetachResponse {
        let timeout = seconds.map(Duration.seconds) ?? loader.timeout
        let patience = loader.patience.limit == .zero ? Patience.none : Patience(timeout)
        return try logged(.detach, request.id) { () throws(ChainedPluginError) in
            let body = try call(.detach, timeout, patience, rename, request.write)
            return try decode(.detach) { () throws(ResponseError) in try MountPointDetachResponse(body.span) }
        } outcome: {
            $0.success ? "detached" : $0.recoverable ? "not detached, recoverable" : "not detached, not recoverable"
        }
    }

    private func logged<Value>(
        _ method: MountPointMethod, _ container: String, _ body: () throws(ChainedPluginError) -> Value, outcome: (Value) -> String
    ) throws(ChainedPluginError) -> Value {
        guard let log = loader.callLog else { return try body() }
        let start = ContinuousClock.now
        do throws(ChainedPluginError) {
            let value = try body()
            log.note(method.rawValue, of: name, for: container, since: start, outcome: outcome(value))
            return value
        } catch {
            let words =
                switch error.kind {
                case .notSent: "not sent"
                case .notRecorded: "not sent, since it could not be recorded"
                case .refused: "refused"
                case .unclear: "no answer that can be used"
                }
            log.note(method.rawValue, of: name, for: container, since: start, outcome: words)
            throw error
        }
    }

    private func call(
        _ method: MountPointMethod, _ timeout: Duration, _ patience: Patience, _ rename: PreparedRename?,
        _ write: (inout JSONWriter) -> Void
    ) throws(ChainedPluginError) -> [UInt8] {
        var writer = JSONWriter()
        write(&writer)
        let body = writer.bytes
        var isLoading = true
        do throws(PluginClientError) {
            return try Patience(min(patience.limit, timeout)).call { () throws(PluginClientError) in
                isLoading = true
                // A plugin that is not loaded here yet, or that was away, is asked for its properties first.
                let plugin = if let loaded { loaded } else { try loader.loadOnce(name) }
                loaded = plugin
                isLoading = false
                do throws(PluginClientError) {
                    return try PluginClient(plugin.endpoint, timeout: timeout)
                        .call(method.rawValue, body, committing: rename.flatMap { $0.isInMemory ? nil : ($0.draft, $0.path) })
                } catch {
                    // It may come back at another place.
                    if error.isAbsence { loaded = nil }
                    throw error
                }
            }
        } catch {
            if isLoading { throw ChainedPluginError(.notSent, Self.words(error, of: .properties), cause: error) }
            let kind: ChainedPluginError.Kind =
                switch error.kind {
                case .notSent: .notSent
                case .notRecorded: .notRecorded
                case .refused: .refused
                case .unclear: .unclear
                }
            throw ChainedPluginError(kind, Self.words(error, of: method), cause: error)
        }
    }

    /// The message in the form of Docker's own client: the method, then the plugin's own words.
    private static func words(_ error: PluginClientError, of method: MountPointMethod) -> String {
        guard case .refused(let status, let words) = error.kind else { return error.message }
        return "\(method.rawValue.dropFirst()): \(words.isEmpty ? "HTTP status \(status)" : words)"
    }

    private func decode<Response>(
        _ method: MountPointMethod, _ body: () throws(ResponseError) -> Response
    ) throws(ChainedPluginError) -> Response {
        do throws(ResponseError) {
            return try body()
        } catch {
            throw ChainedPluginError(
                .unclear, "its answer to \(method.rawValue.dropFirst()) cannot be understood: \(error)", cause: error)
        }
    }
}

/// The most time that a host gives plugins which ask for a time of their own.
struct CallLimits: Sendable, Equatable {
    /// Seconds.
    var attach = 30.0
    var detach = 600.0

    /// The properties with their times limited. A plugin that asks for no time gets the host's timeout for each call, and the limit is never
    /// below that.
    func applied(to properties: MountPointProperties, timeout: Duration) -> MountPointProperties {
        let common = timeout / .seconds(1)
        var properties = properties
        properties.attachTimeout = properties.attachTimeout.map { min($0, max(attach, common)) }
        properties.detachTimeout = properties.detachTimeout.map { min($0, max(detach, common)) }
        return properties
    }
}

extension PluginLoader {
    /// - Parameters:
    ///   - timeout: seconds, for each call.
    ///   - patience: with a plugin that is not there.
    init(places: RuntimePlaces, timeout: Double, patience: Patience = .docker) {
        let limit = Duration.milliseconds(Int64(timeout * 1000))
        self.init(
            discovery: places.plugins, cache: PluginPropertiesCache(FilePath(places.state).appending("plugins"), patience: limit),
            timeout: limit,
            patience: patience)
    }

    func plugin(_ name: String, limits: CallLimits = CallLimits()) -> SocketPlugin {
        SocketPlugin(name: name, loader: self, limits: limits)
    }
}
