// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON

/// Whether a volume is the same one on every node of a cluster. No engine decides anything by it today.
public enum VolumeScope: String, Sendable {
    case local, global
}

/// A volume as `Get` and `List` show it.
public struct Volume: Sendable, Equatable {
    public var name: String
    /// An absolute path, or empty while the volume is not mounted.
    public var mountpoint: String
    /// RFC 3339, such as `2026-03-01T12:00:00Z`. moby refuses the whole answer if it cannot read it.
    public var createdAt: String?
    /// What `docker volume inspect` shows as Status.
    public var status: JSONObject?

    public init(name: String, mountpoint: String = "", createdAt: String? = nil, status: JSONObject? = nil) {
        self.name = name
        self.mountpoint = mountpoint
        self.createdAt = createdAt
        self.status = status
    }
}

/// A plugin that gives volumes to Docker (docker/go-plugins-helpers, volume/api.go).
///
/// ``get(_:)``, ``list()``, ``path(of:)``, ``scope`` and ``activated()`` are called on the server's event loop: they must answer
/// from memory and never block. An engine takes a failed `get` for a volume that is gone, and forgets it.
///
/// The rest may take long. Each runs in a task of its own, which is cancelled when the caller closes its connection: moby does
/// so after 120 s for create and mount, 60 s for the others. Calls for the same volume can run at the same time.
public protocol VolumeDriver: Sendable {
    /// Asked once in the life of an engine's process.
    var scope: VolumeScope { get }

    func get(_ name: String) throws(PluginError) -> Volume
    func list() -> [Volume]

    /// Where a volume is mounted; empty while it is not.
    func path(of name: String) throws(PluginError) -> String

    /// A new engine process has introduced itself. Called after it has been answered.
    func activated()

    func create(_ name: String, options: [String: String]) async throws(PluginError)
    func remove(_ name: String) async throws(PluginError)

    /// - Parameter id: who wants it, a container's mount; the same one may come several times and then counts several times.
    /// - Returns: an absolute path. The server then calls ``mountAnswered(_:id:)``, or ``takeBackMount(_:id:)`` if it can no longer be told
    ///   to the caller.
    func mount(_ name: String, id: String) async throws(PluginError) -> String
    func unmount(_ name: String, id: String) async throws(PluginError)

    /// The caller has read the answer to a mount. If this never comes, it may not know of the mount.
    func mountAnswered(_ name: String, id: String) async

    /// The caller has left without the answer to a mount, and will never unmount.
    func takeBackMount(_ name: String, id: String) async throws(PluginError)
}

extension VolumeDriver {
    public func mountAnswered(_ name: String, id: String) async {}
    public func takeBackMount(_ name: String, id: String) async throws(PluginError) { try await unmount(name, id: id) }
}
