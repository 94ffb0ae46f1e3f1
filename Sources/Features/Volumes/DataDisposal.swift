// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import KernelMount
import SystemPackage

/// Does with a removed volume's directory what `onremove` says.
struct DataDisposal: Sendable {
    let table: VolumeTable
    let exports: ExportMounts
    let authority: any DefinitionAuthority
    let settings: VolumeSettings
    let words: CallerWords
    let logger: Logger

    /// Archives or deletes the directory of a volume, unless it is to stay. Blocks on the server.
    ///
    /// - Parameter end: if this is earlier than the limit.
    func dispose(of definition: VolumeDefinition, until end: Deadline? = nil) throws(DisposalError) {
        guard definition.options.removal != .retain, let subdirectory = definition.options.subdirectory else { return }
        let (name, policy) = (definition.name, definition.options.removal.rawValue)
        if let other = table.beginDisposal(of: definition) { throw .sharedDirectory(of: definition, with: other) }
        defer { table.endDisposal(of: name) }
        let began = ContinuousClock.now
        var deadline = Deadline(began + settings.removal)
        if let end { deadline = deadline.earlier(end) }
        let place = settings.stagingFolder.appending("remove-\(UInt64.random(in: 0 ... .max))")
        do {
            try makeFolders(place, mode: 0o700)
            try exports.mountExport(of: definition, at: place, requiring: authority.requiredFolder(of: definition), until: deadline)
            defer {
                do throws(StorageError) { _ = try exports.unmount(place) } catch { logger.error("\(error)") }
                try? removeEmptyFolder(place)
            }
            try dispose(of: subdirectory, definition, at: place, until: deadline)
        } catch let error as TreeError {
            try? removeEmptyFolder(place)
            throw DisposalError(
                description:
                    "cannot remove volume \(name): onremove=\(policy) of \(subdirectory.path): \(error); \(advice(error, name, began: began))",
                hasBegun: error.hasBegun, cause: error)
        } catch {
            try? removeEmptyFolder(place)
            let failure = error as? StorageError
            throw DisposalError(
                description: "cannot remove volume \(name): onremove=\(policy) needs its export: \(error)", code: failure?.code ?? .local,
                cause: error, stuck: failure?.stuck)
        }
    }

    private func dispose(
        of subdirectory: Subdirectory, _ definition: VolumeDefinition, at place: FilePath, until deadline: Deadline
    ) throws(TreeError) {
        let name = definition.name
        let tree = MountedTree(mountedAt: place.string, program: settings.processName, until: deadline)
        switch definition.options.removal {
        case .retain: break
        case .archive:
            let archive = "archived-\(subdirectory.components.last ?? "")-\(timestamp(compact: true))"
            if try tree.rename(subdirectory, to: archive) {
                logger.notice("volume \(name): its directory \(subdirectory.path) is now \(archive)")
            }
        case .delete:
            try tree.delete(subdirectory)
            // The export may have been unmounted meanwhile, and an empty folder looks like a finished deletion.
            guard let entry = try? MountTable.topmost(at: place.string), exports.isOurs(entry) else {
                throw TreeError(description: "the export was unmounted meanwhile", isUnfinished: true, hasBegun: true)
            }
            logger.notice("volume \(name): its directory \(subdirectory.path) is deleted")
        }
    }

    private func advice(_ error: TreeError, _ name: VolumeName, began: ContinuousClock.Instant) -> String {
        if error.meetsOtherFileSystem {
            return
                "take the other file system away on the server, or keep the directory (\(words.change) \(name) onremove=retain), then run \(words.removal) again"
        }
        return switch (error.isUnfinished, error.hasBegun) {
        case (true, _):
            "not finished within \((ContinuousClock.now - began).components.seconds) s; run \(words.removal) again to go on"
        case (false, true): "a part of the data is gone; correct it on the server, then run \(words.removal) again to go on"
        case (false, false): "correct it on the server, then try again"
        }
    }
}
