// SPDX-License-Identifier: AGPL-3.0-or-later

/// The calls of the VolumeDriver interface; the raw value is the HTTP path.
public enum VolumeMethod: String, Sendable, CaseIterable {
    case create = "/VolumeDriver.Create"
    case remove = "/VolumeDriver.Remove"
    case mount = "/VolumeDriver.Mount"
    case unmount = "/VolumeDriver.Unmount"
    case path = "/VolumeDriver.Path"
    case get = "/VolumeDriver.Get"
    case list = "/VolumeDriver.List"
    case capabilities = "/VolumeDriver.Capabilities"
}

/// A call of the VolumeDriver interface with what it needs.
public enum VolumeRequest: Sendable, Equatable {
    case create(name: String, options: [String: String])
    case remove(name: String)
    case mount(name: String, id: String)
    case unmount(name: String, id: String)
    case path(name: String)
    case get(name: String)
    case list
    case capabilities

    /// Bytes of a mount's ID. moby and Podman send 64 hexadecimal digits.
    public static let longestID = 256

    /// Reads a request's body. Members that it does not need are ignored, and the whole body of `List` and `Capabilities`,
    /// which engines fill differently (moby `{}`, Podman nothing).
    ///
    /// - Throws: `RequestError` for an empty body, one that is not a JSON object, a missing or empty Name or ID, an ID that is too long, and anything of
    ///   the wrong type.
    public init(_ method: VolumeMethod, body: Span<UInt8>) throws(RequestError) {
        switch method {
        case .list: self = .list
        case .capabilities: self = .capabilities
        case .get: self = .get(name: try RequestBody(body).text("Name"))
        case .path: self = .path(name: try RequestBody(body).text("Name"))
        case .remove: self = .remove(name: try RequestBody(body).text("Name"))
        case .mount:
            let body = try RequestBody(body)
            self = .mount(name: try body.text("Name"), id: try body.text("ID", limit: Self.longestID))
        case .unmount:
            let body = try RequestBody(body)
            self = .unmount(name: try body.text("Name"), id: try body.text("ID", limit: Self.longestID))
        case .create:
            let body = try RequestBody(body)
            self = .create(name: try body.text("Name"), options: try body.textMap("Opts"))
        }
    }
}
