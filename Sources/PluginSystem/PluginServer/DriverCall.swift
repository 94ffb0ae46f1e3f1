// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

extension VolumeDriver {
    /// Carries out any request.
    func carryOut(_ request: VolumeRequest) async throws(PluginError) -> VolumeResponse {
        switch request {
        case .get(let name): return .volume(try get(name))
        case .path(let name): return .mountpoint(try path(of: name))
        case .list: return .volumes(list())
        case .capabilities: return .capabilities(scope)
        case .create(let name, let options): try await create(name, options: options)
        case .remove(let name): try await remove(name)
        case .mount(let name, let id): return .mountpoint(try await mount(name, id: id))
        case .unmount(let name, let id): try await unmount(name, id: id)
        }
        return .done
    }
}

extension VolumeMethod {
    /// Such as `VolumeDriver.Mount`, for the log.
    var call: Substring { rawValue.dropFirst() }
}

extension VolumeRequest {
    /// Of the volume that it is about, for the log.
    var name: String {
        switch self {
        case .create(let name, _), .remove(let name), .mount(let name, _), .unmount(let name, _), .path(let name), .get(let name): name
        case .list, .capabilities: ""
        }
    }
}
