// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import NIOHTTP1

/// What a request line asks for.
enum Route {
    case activate
    case volume(VolumeMethod)
    case wrongMethod
    case unknown

    init(_ head: HTTPRequestHead) {
        let route: Route
        if let method = VolumeMethod(rawValue: head.uri) {
            route = .volume(method)
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
        case .volume(.list), .volume(.capabilities), .activate, .wrongMethod, .unknown: false
        case .volume: true
        }
    }
}
