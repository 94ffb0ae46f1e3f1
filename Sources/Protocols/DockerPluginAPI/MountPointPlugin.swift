// SPDX-License-Identifier: AGPL-3.0-or-later

/// Why a plugin could not detach.
public struct DetachError: Error, Sendable, Equatable {
    /// One line for the person at the engine's command line: the cause first, what to do last.
    public var message: String
    /// Whether the other plugins of the container are still to be asked. If not, what they have made stays as well.
    public var isRecoverable: Bool

    public init(_ message: String, isRecoverable: Bool) {
        self.message = message
        self.isRecoverable = isRecoverable
    }
}

/// A plugin that takes part in the mounts of containers, as mountpoint-runc asks it.
///
/// ``properties`` and ``activated()`` are called on the server's event loop: they must answer from memory and never block.
///
/// The rest may take long. Each runs in a task of its own, which is cancelled when the caller closes its connection. Calls for several
/// containers overlap; for one container there is one at a time.
public protocol MountPointPlugin: Sendable {
    /// Asked once in the life of the plugin's process.
    var properties: MountPointProperties { get }

    /// A new host process has introduced itself. Called after it has been answered.
    func activated()

    /// - Returns: what it says of each mount, in their order. A mount that is not in a shorter list is none of this plugin's.
    /// - Throws: `PluginError`, and the container does not start. The caller may not get to know of a success either; it then asks to detach.
    func attach(_ request: MountPointAttachRequest) async throws(PluginError) -> [Attachment]

    /// Asked for each container for which ``attach(_:)`` has been called and may have had an effect, also after the plugin's own restart.
    func detach(_ request: MountPointDetachRequest) async throws(DetachError)

    /// Only for a plugin whose ``properties`` ask for it: its mounts are there, and the container has not started.
    func mounted(_ request: MountPointMountedRequest) async throws(PluginError)
}

extension MountPointPlugin {
    public func activated() {}
    public func mounted(_ request: MountPointMountedRequest) async throws(PluginError) {}
}
