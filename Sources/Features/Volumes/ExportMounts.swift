// SPDX-License-Identifier: AGPL-3.0-or-later

package import KernelMount
package import LinuxSystem
import SystemPackage

/// Mounts volumes and exports by the mounter, with the settings of this host.
package struct ExportMounts: Sendable {
    private let mounter: Mounter
    private let kind: any FileSystemKind

    init(settings: VolumeSettings, gate: any ServerGate) {
        kind = settings.kind
        mounter = Mounter(
            limits: settings.limits, method: settings.mountMethod, stagingFolder: settings.stagingFolder,
            program: settings.processName, gate: gate)
    }

    /// Mounts what a volume asks for. Blocks on the server.
    ///
    /// - Parameters:
    ///   - place: an empty folder of this host.
    ///   - folder: must be in the export's root; nil if any export will do.
    ///   - mayWait: whether the caller has time to wait for a server that comes back.
    func mount(
        _ definition: VolumeDefinition, at place: FilePath, requiring folder: String?, mayWait: Bool, until deadline: Deadline,
        _ cancellation: Cancellation
    ) throws(StorageError) -> MountTableEntry {
        let options = definition.options
        do throws(StorageError) { try options.source.validate(for: .volume) } catch {
            throw error.prefixed(by: "cannot mount volume \(definition.name)")
        }
        let destination = MountDestination(place.string, subdirectory: options.subdirectory, requiredFolder: folder)
        var request = MountRequest(options.source, at: destination)
        request.mayWait = mayWait
        return try mounter.mount(request, until: deadline, cancellation: cancellation)
    }

    /// Mounts the export that a volume's directory is in, to be written to. Blocks on the server. Parameters are as in
    /// ``mount(_:at:requiring:mayWait:until:_:)``.
    func mountExport(
        of definition: VolumeDefinition, at place: FilePath, requiring folder: String?, until deadline: Deadline
    ) throws(StorageError) {
        let destination = MountDestination(place.string, requiredFolder: folder)
        _ = try mounter.mount(MountRequest(definition.options.source, for: .disposal, at: destination), until: deadline)
    }

    /// Unmounts everything at a place.
    ///
    /// - Parameter busy: called with who has something open there, before it is taken off the tree under them.
    /// - Throws: `StorageError` if something is still mounted there.
    func unmount(_ place: FilePath, whenBusy busy: ([FileUser]) -> Void = { _ in }) throws(StorageError) -> UnmountResult {
        try mounter.unmount(place.string, whenBusy: busy)
    }

    /// Whether the server has said that what is mounted there is gone. Blocks for some seconds at most.
    func isStale(_ entry: MountTableEntry) -> Bool { kind.isStale(entry, program: mounter.program) }

    /// A share's export, for calls that are made at its root.
    ///
    /// - Throws: `StorageError` if the mount options of this host cannot be used with it.
    package func export(of share: Share) throws(StorageError) -> ExportCalls {
        do throws(StorageError) {
            let source = try kind.source(share.options)
            try source.validate(for: .catalogue)
            return ExportCalls(mounter: mounter, source: source)
        } catch {
            throw StorageError(.badOption, "the mount options of the share cannot be used: \(error)", cause: error)
        }
    }

    /// What the processes that mount are called in ps(1), before `-mount` and the like.
    var processName: String { mounter.program }

    /// Whether a mount can be of this program's making.
    func isOurs(_ entry: MountTableEntry) -> Bool { kind.owns(entry) }
}

/// An export in which calls are made without mounting it in the sight of others.
package struct ExportCalls: Sendable {
    fileprivate let mounter: Mounter
    fileprivate let source: any FileSystemSource

    package var kind: any FileSystemKind { source.kind }

    /// Makes calls at the export's root. Blocks on the server.
    ///
    /// - Parameter prepare: adds the calls; it gets the sequence and the root.
    /// - Throws: `StorageError` if the export cannot be mounted. What failed afterwards is in the sequence.
    package func run<Work>(
        until deadline: Deadline, cancellation: Cancellation?, _ prepare: (SystemCallSequence, SystemCallSequence.Call) -> Work
    ) throws(StorageError) -> (calls: SystemCallSequence, work: Work) {
        try mounter.withUnattachedMount(of: source, for: .catalogue, until: deadline, cancellation: cancellation, prepare)
    }
}
