// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI

/// A mount point plugin that has been found, has said that it is one, and has told what it wants to be asked about.
public struct LoadedPlugin: Sendable {
    public let endpoint: PluginEndpoint
    public let properties: MountPointProperties
}

/// Finds and loads mount point plugins.
public struct PluginLoader: Sendable {
    public var discovery: PluginDiscovery
    public var cache: PluginPropertiesCache
    /// For each call.
    public var timeout: Duration
    /// With a plugin that is not there.
    public var patience: Patience
    /// Told of each call, if there is one.
    public var callLog: CallLog?

    public init(discovery: PluginDiscovery, cache: PluginPropertiesCache, timeout: Duration, patience: Patience = .none) {
        self.discovery = discovery
        self.cache = cache
        self.timeout = timeout
        self.patience = patience
    }

    /// Finds a plugin, activates it and asks for its properties; the last two only if no answer of this run of it is kept.
    ///
    /// - Throws: `PluginClientError`; of the kind `refused` with status 200 if it is not a mount point plugin, or says that it has failed.
    public func load(_ name: String) throws(PluginClientError) -> LoadedPlugin {
        try Patience(min(patience.limit, timeout)).call { () throws(PluginClientError) in try loadOnce(name) }
    }

    /// The same, without waiting for it if it is not there.
    public func loadOnce(_ name: String) throws(PluginClientError) -> LoadedPlugin {
        let endpoint = try discovery.find(name)
        var client = PluginClient(endpoint, timeout: timeout)
        client.callLog = callLog
        let properties = try cache.properties(of: endpoint) { () throws(PluginClientError) in
            try activate(client)
            return try client.answer(MountPointMethod.properties.rawValue, Array("{}".utf8))
        } read: { (answer) throws(PluginClientError) in
            try read(answer, endpoint)
        }
        return LoadedPlugin(endpoint: endpoint, properties: properties)
    }

    private func activate(_ client: PluginClient) throws(PluginClientError) {
        // Without a body, as Docker does it.
        let answer = try client.call(Activation.path, [])
        let interfaces: [String]
        do throws(ResponseError) {
            interfaces = try Activation.readResponse(answer.span)
        } catch {
            throw client.endpoint.cannotRead("Plugin.Activate", error)
        }
        let wanted = PluginInterface.mountPoint.rawValue
        if interfaces.contains(wanted) { return }
        let found = interfaces.isEmpty ? "nothing" : SanitizedText(interfaces.joined(separator: ", "), limit: 200).text
        let words = "it implements \(found), not \(wanted)"
        throw PluginClientError(
            .refused(status: 200, words: words), client.endpoint, "it is no mount point plugin: \(words); take it out of the chain")
    }

    private func read(_ answer: [UInt8], _ endpoint: PluginEndpoint) throws(PluginClientError) -> MountPointProperties {
        let method = MountPointMethod.properties.rawValue.dropFirst()
        let response: MountPointPropertiesResponse
        do throws(ResponseError) {
            response = try MountPointPropertiesResponse(answer.span)
        } catch {
            throw endpoint.cannotRead(method, error)
        }
        if response.success { return response.properties }
        let words = SanitizedText(response.err, limit: SanitizedText.wordsLimit).text
        let said = words.isEmpty ? "it answered without Success, and without an Err; its log may tell why" : words
        throw PluginClientError(.refused(status: 200, words: words), endpoint, "\(method): \(said)")
    }
}

extension PluginEndpoint {
    fileprivate func cannotRead(_ method: some StringProtocol, _ error: ResponseError) -> PluginClientError {
        let reason = SanitizedText(error.message, limit: 500).text
        return PluginClientError(.unclear, self, "\(method): it answered what cannot be understood: \(reason)", cause: error)
    }
}
