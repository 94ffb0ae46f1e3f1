// SPDX-License-Identifier: AGPL-3.0-or-later

package import KernelMount
package import LinuxSystem

/// Who decides about definitions that this host only has a copy of, as those of a share.
///
/// Methods that take a deadline block on a server, and their caller holds the volume's lock. All others answer from memory.
package protocol DefinitionAuthority: Sendable {
    /// Whether a volume's definition is this authority's, and not this host's alone. If it is not, the methods below do nothing.
    func decides(about definition: VolumeDefinition) -> Bool

    /// Defines a volume for all hosts, and then on this one.
    ///
    /// - Parameter acceptsAny: what is defined already will do, whatever its options.
    func define(
        _ wanted: VolumeDefinition, acceptsAny: Bool, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError)

    /// Replaces a volume's definition for all hosts, but not this host's copy.
    ///
    /// - Throws: `StorageError` (`in-use`) if a host says that it uses the volume.
    func redefine(
        _ definition: VolumeDefinition, as new: VolumeDefinition, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError)

    /// Before a volume is mounted by its first reference.
    func prepareMount(of definition: VolumeDefinition, until deadline: Deadline, _ cancellation: Cancellation) throws(StorageError)

    /// After a reference has been released.
    func released(_ name: VolumeName)

    /// Removes a volume's definition for all hosts, but not this host's copy.
    ///
    /// - Parameter dispose: archives or deletes the volume's data by a deadline; called when all hosts agree.
    func remove(
        _ definition: VolumeDefinition, until deadline: Deadline, disposingBy dispose: (Deadline) throws(DisposalError) -> Void
    ) throws(StorageError)

    /// A folder by which the right export is known: nothing is mounted from one without it. A path in the export's root; nil if any
    /// export will do.
    func requiredFolder(of definition: VolumeDefinition) -> String?

    /// A volume was asked for that is not known, or all volumes were.
    func mayHaveChanged()
}

/// For callers whose volumes are all of this host alone.
package struct LocalDefinitions: DefinitionAuthority {
    package init() {}

    package func decides(about definition: VolumeDefinition) -> Bool { false }
    package func define(
        _ wanted: VolumeDefinition, acceptsAny: Bool, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) {}
    package func redefine(
        _ definition: VolumeDefinition, as new: VolumeDefinition, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) {}
    package func prepareMount(
        of definition: VolumeDefinition, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) {}
    package func released(_ name: VolumeName) {}
    package func remove(
        _ definition: VolumeDefinition, until deadline: Deadline, disposingBy dispose: (Deadline) throws(DisposalError) -> Void
    ) throws(StorageError) {}
    package func requiredFolder(of definition: VolumeDefinition) -> String? { nil }
    package func mayHaveChanged() {}
}
