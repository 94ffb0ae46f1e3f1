// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import Logging

/// Serves a `VolumeDriver`.
public final class VolumeService: PluginService {
    private let driver: any VolumeDriver
    private let administration: (any VolumeAdministration)?
    private let logger: Logger

    /// - Parameter administration: served beside the driver; nil: only what engines ask for is answered.
    public init(_ driver: any VolumeDriver, administration: (any VolumeAdministration)? = nil, logger: Logger) {
        self.driver = driver
        self.administration = administration
        self.logger = logger
    }

    public var interfaces: [PluginInterface] { [.volumeDriver] }

    public func activated() { driver.activated() }

    public func call(at path: String) -> (any PluginCall)? {
        if let administration, path.utf8.elementsEqual(VolumeSetRequest.path.utf8) { return VolumeSetCall(administration: administration) }
        return VolumeMethod(rawValue: path).map { VolumeCall(service: self, method: $0) }
    }

    fileprivate func reply(to request: VolumeRequest) -> PluginReply {
        do throws(PluginError) {
            switch request {
            case .get(let name): return Self.now(.volume(try driver.get(name)))
            case .path(let name): return Self.now(.mountpoint(try driver.path(of: name)))
            case .list: return Self.now(.volumes(driver.list()))
            case .capabilities: return Self.now(.capabilities(driver.scope))
            case .create(let name, _), .remove(let name), .mount(let name, _), .unmount(let name, _):
                return .later(subject: ("volume", name)) {
                    do throws(PluginError) { return try await self.carryOut(request) } catch { return .failure(error) }
                }
            }
        } catch {
            return .now(.failure(error))
        }
    }

    private static func now(_ response: VolumeResponse) -> PluginReply { .now(.success(write: response.write)) }

    private func carryOut(_ request: VolumeRequest) async throws(PluginError) -> PluginAnswer {
        switch request {
        case .get, .path, .list, .capabilities: break
        case .create(let name, let options): try await driver.create(name, options: options)
        case .remove(let name): try await driver.remove(name)
        case .unmount(let name, let id): try await driver.unmount(name, id: id)
        case .mount(let name, let id):
            let response = VolumeResponse.mountpoint(try await driver.mount(name, id: id))
            return .success(
                delivered: { await self.driver.mountAnswered(name, id: id) }, undelivered: { await self.takeBack(name, id: id) },
                write: response.write)
        }
        return .success(write: VolumeResponse.done.write)
    }

    /// Takes back a mount of which the caller does not know, since engines send no Unmount after a failed Mount.
    private func takeBack(_ name: String, id: String) async {
        do throws(PluginError) {
            try await driver.takeBackMount(name, id: id)
            logger.notice("A mount that its caller did not wait for was taken back", metadata: ["volume": "\(name)"])
        } catch {
            logger.error("A mount that its caller did not wait for could not be taken back: \(error)", metadata: ["volume": "\(name)"])
        }
    }
}

private struct VolumeCall: PluginCall {
    let service: VolumeService
    let method: VolumeMethod

    var name: String { String(method.rawValue.dropFirst()) }

    var readsBody: Bool { method != .list && method != .capabilities }

    func reply(to body: Span<UInt8>) throws(RequestError) -> PluginReply { service.reply(to: try VolumeRequest(method, body: body)) }
}

private struct VolumeSetCall: PluginCall {
    let administration: any VolumeAdministration

    var name: String { String(VolumeSetRequest.path.dropFirst()) }

    var readsBody: Bool { true }

    func reply(to body: Span<UInt8>) throws(RequestError) -> PluginReply {
        let request = try VolumeSetRequest(body)
        return .later(subject: ("volume", request.name)) {
            do throws(PluginError) {
                let changes = try await administration.set(request.name, request.changes)
                return .success(write: VolumeSetResponse(changes: changes).write)
            } catch {
                return .failure(error)
            }
        }
    }
}
