// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import NFSMount
import SystemPackage

/// Mounts volumes and exports by the mounter, with the settings of this host.
struct ExportMounts: Sendable {
    private let mounter: NFSMounter
    private let settings: VolumeSettings

    init(settings: VolumeSettings) {
        self.settings = settings
        mounter = NFSMounter(
            limits: settings.limits, method: settings.mountMethod, stagingFolder: settings.runtimeDirectory.appending("staging"),
            standIn: settings.standIn)
    }

    /// Mounts what a volume asks for. Blocks on the server.
    ///
    /// - Parameters:
    ///   - place: an empty folder of this host.
    ///   - folder: must be in the export's root; nil if any export will do.
    func mount(
        _ definition: VolumeDefinition, at place: FilePath, requiring folder: String?, until deadline: Deadline,
        _ cancellation: Cancellation
    ) throws(StorageError) -> MountTableEntry {
        var request: NFSMountRequest
        do throws(MountOptionError) { request = try settings.request(for: definition) } catch {
            throw StorageError(.badOption, "cannot mount volume \(definition.name): \(error)", cause: error)
        }
        request.requiredFolder = folder
        request.target = place.string
        do throws(NFSMountError) { return try mounter.mount(request, until: deadline, cancellation: cancellation).entry } catch {
            throw StorageError(error)
        }
    }

    /// Mounts the export that a volume's directory is in, to be written to. Blocks on the server. Parameters are as in
    /// ``mount(_:at:requiring:until:_:)``.
    func mountExport(
        of definition: VolumeDefinition, at place: FilePath, requiring folder: String?, until deadline: Deadline
    ) throws(StorageError) {
        var request: NFSMountRequest
        do throws(MountOptionError) {
            request = try settings.request(for: definition)
            request.options = try MountOptions(
                definition.options.mountOptions.isEmpty ? "rw" : definition.options.mountOptions,
                defaults: [settings.mountOptions, VolumeSettings.builtInOptions])
        } catch {
            throw StorageError(.badOption, error.description, cause: error)
        }
        request.subdirectory = nil
        request.requiredFolder = folder
        request.target = place.string
        do throws(NFSMountError) { _ = try mounter.mount(request, until: deadline) } catch { throw StorageError(error) }
    }

    /// Unmounts everything at a place.
    ///
    /// - Throws: `StorageError` if something is still mounted there.
    func unmount(_ place: FilePath) throws(StorageError) -> UnmountResult {
        do throws(UnmountError) { return try mounter.unmount(place.string) } catch { throw StorageError(error) }
    }

    /// A share's export, for calls that are made at its root.
    ///
    /// - Throws: `StorageError` if the mount options of this host cannot be used with it.
    func export(of share: Share) throws(StorageError) -> ExportCalls {
        do throws(MountOptionError) {
            let request = NFSMountRequest(
                server: share.server, path: share.path, versions: settings.versions, options: try settings.catalogueOptions(), target: "")
            return ExportCalls(mounter: mounter, request: request)
        } catch {
            throw StorageError(.badOption, "the mount options of the share cannot be used: \(error)", cause: error)
        }
    }

    /// Whether a mount can be of this program's making.
    func isOurs(_ entry: MountTableEntry) -> Bool {
        entry.isNFS || (settings.standIn.map { $0.fileSystem == entry.fileSystem } ?? false)
    }
}

/// An export in which calls are made without mounting it in the sight of others.
struct ExportCalls: Sendable {
    fileprivate let mounter: NFSMounter
    fileprivate let request: NFSMountRequest

    /// Makes calls at the export's root. Blocks on the server.
    ///
    /// - Parameter prepare: adds the calls; it gets the sequence and the root.
    /// - Throws: `StorageError` if the export cannot be mounted. What failed afterwards is in the sequence.
    func run<Work>(
        until deadline: Deadline, cancellation: Cancellation?, _ prepare: (SystemCallSequence, SystemCallSequence.Call) -> Work
    ) throws(StorageError) -> (calls: SystemCallSequence, work: Work) {
        do throws(NFSMountError) {
            return try mounter.inExport(request, until: deadline, cancellation: cancellation, prepare)
        } catch {
            throw StorageError(error)
        }
    }
}
