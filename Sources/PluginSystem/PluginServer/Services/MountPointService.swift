// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI

/// Serves a `MountPointPlugin`.
public final class MountPointService: PluginService {
    private let plugin: any MountPointPlugin

    public init(_ plugin: any MountPointPlugin) { self.plugin = plugin }

    public var interfaces: [PluginInterface] { [.mountPoint] }

    public func activated() { plugin.activated() }

    public func call(at path: String) -> (any PluginCall)? {
        MountPointMethod(rawValue: path).map { MountPointCall(plugin: plugin, method: $0) }
    }
}

private struct MountPointCall: PluginCall {
    let plugin: any MountPointPlugin
    let method: MountPointMethod

    var name: String { String(method.rawValue.dropFirst()) }

    var readsBody: Bool { method != .properties }

    func reply(to body: Span<UInt8>) throws(RequestError) -> PluginReply {
        switch method {
        case .properties: .now(.success(write: MountPointPropertiesResponse(properties: plugin.properties).write))
        case .attach: attach(try MountPointAttachRequest(body))
        case .detach: detach(try MountPointDetachRequest(body))
        case .mounted: mounted(try MountPointMountedRequest(body))
        }
    }

    private func attach(_ request: MountPointAttachRequest) -> PluginReply {
        .later(subject: ("container", request.id)) {
            do throws(PluginError) {
                let attachments = try await plugin.attach(request)
                // Without its answer the host cannot tell what has been attached, and asks to detach by itself.
                return .success(write: MountPointAttachResponse(attachments: attachments).write)
            } catch {
                return .refusal(error.message, write: MountPointAttachResponse(success: false, err: error.message).write)
            }
        }
    }

    private func detach(_ request: MountPointDetachRequest) -> PluginReply {
        .later(subject: ("container", request.id)) {
            do throws(DetachError) {
                try await plugin.detach(request)
                return .success(write: MountPointDetachResponse().write)
            } catch {
                let response = MountPointDetachResponse(success: false, recoverable: error.isRecoverable, err: error.message)
                return .refusal(error.message, write: response.write)
            }
        }
    }

    private func mounted(_ request: MountPointMountedRequest) -> PluginReply {
        .later(subject: ("container", request.id)) {
            do throws(PluginError) {
                try await plugin.mounted(request)
                return .success(write: MountPointMountedResponse().write)
            } catch {
                return .refusal(error.message, write: MountPointMountedResponse(success: false, err: error.message).write)
            }
        }
    }
}
