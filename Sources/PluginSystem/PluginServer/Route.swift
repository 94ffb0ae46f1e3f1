// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import NIOHTTP1

/// What a request line asks for.
enum Route {
    case activate
    case call(any PluginCall)
    case wrongMethod
    case unknown

    init(_ head: HTTPRequestHead, of service: any PluginService) {
        let route: Route
        if let call = service.call(at: head.uri) {
            route = .call(call)
        } else if head.uri == Activation.path {
            route = .activate
        } else {
            self = .unknown
            return
        }
        self = head.method == .POST ? route : .wrongMethod
    }

    /// Whether the body is worth keeping.
    var readsBody: Bool {
        switch self {
        case .activate, .wrongMethod, .unknown: false
        case .call(let call): call.readsBody
        }
    }
}
