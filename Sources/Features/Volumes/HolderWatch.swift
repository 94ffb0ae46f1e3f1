// SPDX-License-Identifier: AGPL-3.0-or-later

package import LinuxSystem

/// What the volumes ask about those who hold references: whether they still need them.
///
/// The ID of a holder is opaque to the volumes. All methods but ``activation(of:)`` and ``referencesChanged()`` may block on local files.
package protocol HolderWatch: Sendable {
    /// Which life of the engine uses the volumes of this owner; it goes into the references that are taken meanwhile.
    func activation(of owner: String) -> Int

    /// Whether it is certain that this holder does not run.
    func isStopped(_ holder: String) -> Bool

    /// Whether all of these references can be leaks of an engine that was killed, so that no caller will release them.
    func areAbandoned(_ references: References, of owner: String) -> Bool

    /// The same for a volume that is to be removed, which an engine asks for only if none of its containers needs the volume.
    func areAbandonedBeforeRemoval(_ references: References, of owner: String) -> Bool

    /// A process elsewhere on this host that has the same part of the same file system mounted; nil if there is none.
    func process(holding mount: MountTableEntry) -> Int32?

    /// References have been taken or released. Never blocks.
    func referencesChanged()
}
