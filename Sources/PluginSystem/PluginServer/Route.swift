// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import NIOHTTP1

/// What a request line asks for.
enum Route {
    case activate
    case call(any PluginCall)
    /// The request's method is not the one that is named here.
    case wrongMethod(allowed: String)
    case unknown

    init(_ head: HTTPRequestHead, of service: any PluginService) {
        if let call = service.call(at: head.uri) {
            let isAllowed = call.isPage ? head.method == .GET || head.method == .HEAD : head.method == .POST
            self = isAllowed ? .call(call) : .wrongMethod(allowed: call.isPage ? "GET" : "POST")
        } else if head.uri == Activation.path, !service.interfaces.isEmpty {
            self = head.method == .POST ? .activate : .wrongMethod(allowed: "POST")
        } else {
            self = .unknown
        }
    }

    /// Whether the body is worth keeping.
    var readsBody: Bool {
        switch self {
        case .activate, .wrongMethod, .unknown: false
        case .call(let call): call.readsBody
        }
    }
}
