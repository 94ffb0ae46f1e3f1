// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI

/// Serves one page that others read, such as metrics; it is no plugin.
public final class PageService: PluginService {
    fileprivate let path: String
    fileprivate let mediaType: String
    fileprivate let content: @Sendable () async throws -> [UInt8]

    /// - Parameters:
    ///   - path: such as `/metrics`. What a request has behind a `?` is not read.
    ///   - mediaType: for the header `Content-Type`.
    ///   - content: makes the page. Called for each request, several at a time if several come.
    public init(path: String, mediaType: String, content: @escaping @Sendable () async throws -> [UInt8]) {
        self.path = path
        self.mediaType = mediaType
        self.content = content
    }

    public var interfaces: [PluginInterface] { [] }

    public func activated() {}

    public func call(at path: String) -> (any PluginCall)? { path.prefix { $0 != "?" } == self.path ? PageCall(page: self) : nil }
}

private struct PageCall: PluginCall {
    let page: PageService

    var name: String { page.path }
    var readsBody: Bool { false }
    var isPage: Bool { true }

    func reply(to body: Span<UInt8>) throws(RequestError) -> PluginReply {
        .later(subject: ("page", page.path)) { [page] in
            do { return .page(try await page.content(), mediaType: page.mediaType) } catch { return .failure(PluginError("\(error)")) }
        }
    }
}
