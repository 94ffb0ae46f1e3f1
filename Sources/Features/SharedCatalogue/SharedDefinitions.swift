// SPDX-License-Identifier: AGPL-3.0-or-later

package import KernelMount
package import LinuxSystem
package import Logging
package import Volumes

/// Volumes of a share: the share's catalogue decides about their definitions, and this host keeps copies.
package final class SharedDefinitions: DefinitionAuthority {
    /// How much of a removal's time is kept back, when the data are disposed of, for the definition and the marks.
    private static let removalReserve = Duration.seconds(8)

    let access: CatalogueAccess
    let follower: CatalogueFollower
    let marks: OwnMarks
    private let state: VolumeState
    let blocked: BlockedShares
    private let logger: Logger

    /// Reads what an earlier run knew of the catalogues. Blocks on local files.
    ///
    /// - Parameter ending: ends what the follower does.
    /// - Throws: `SystemError` if a file cannot be read.
    package init(
        _ state: VolumeState, settings: CatalogueSettings, ending: Cancellation, logger: Logger
    ) throws(SystemError) {
        self.state = state
        self.logger = logger
        blocked = BlockedShares(program: state.words.program, logger: logger)
        access = try CatalogueAccess(state, settings: settings, blocked: blocked, logger: logger)
        marks = OwnMarks(table: state.table, locks: state.locks)
        follower = CatalogueFollower(
            state, refresh: settings.refresh, access: access, marks: marks, ending: ending, logger: logger)
    }

    private var table: VolumeTable { state.table }

    /// Follows the share's catalogue until ``shutDown()`` and the end that was given. Returns at once if there is no share.
    package func run() async { await follower.run() }

    /// Ends ``run()`` once its cancellation has come.
    package func shutDown() { follower.shutDown() }

    package func mayHaveChanged() { follower.requestLook() }

    package func released(_ name: VolumeName) {
        if marks.mayUse(name) { follower.requestLook() }
    }

    package func decides(about definition: VolumeDefinition) -> Bool { definition.share != nil }

    package func requiredFolder(of definition: VolumeDefinition) -> String? {
        definition.share.map { share in access.identity(of: share).map(ShareCatalogue.folder) ?? Share.catalogueFolder }
    }

    package func prepareMount(
        of definition: VolumeDefinition, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) {
        // Other hosts only have to know of uses that a removal would harm.
        guard definition.options.removal != .retain, let share = definition.share else { return }
        let catalogue = try access.catalogue(of: share, until: deadline, cancellation)
        do throws(StorageError) { try marks.markUse(of: definition.name, in: catalogue) } catch {
            do throws(SystemError) { try table.mountFailed(definition.name, error) } catch let second {
                logger.error("volume \(definition.name): its last failure cannot be stored: \(second)")
            }
            throw error.prefixed(by: "cannot mount volume \(definition.name)")
        }
    }

    // MARK: Creating

    package func define(
        _ wanted: VolumeDefinition, acceptsAny: Bool, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) {
        guard let share = wanted.share else { return }
        let name = wanted.name
        let catalogue = try access.catalogue(of: share, until: deadline, cancellation)
        try follower.duringCreation { () throws(StorageError) in
            let found: VolumeDefinition
            do throws(StorageError) { found = try write(wanted, catalogue) } catch {
                throw error.prefixed(by: "cannot create volume \(name)")
            }
            try copy(found, insteadOf: wanted, acceptsAny: acceptsAny)
            follower.noteOwnChange(of: name)
            logger.info("volume \(name) \(found == wanted ? "created" : "found") on the share \(share.text) under \(found.owner)")
        }
    }

    /// - Returns: the definition that holds on the share.
    private func write(_ wanted: VolumeDefinition, _ catalogue: ShareCatalogue) throws(StorageError) -> VolumeDefinition {
        let share = catalogue.share
        let begins = !access.knowsVolumes(of: share)
        let known = if let identity = catalogue.identity { identity } else { try catalogue.identities().first }
        let new = known == nil ? [UInt64.random(in: 0 ... .max), .random(in: 0 ... .max)].map { String($0, radix: 16) }.joined() : nil
        try catalogue.marks.checkForRemoval(of: wanted.name, begins: begins)
        let (found, isNew) = try catalogue.definitions.create(wanted, begins: begins, identity: new)
        if let identity = known ?? new { try access.keep(identity, of: share) }
        if isNew {
            do throws(StorageError) { try catalogue.marks.checkForRemovalAround(found) } catch {
                do throws(StorageError) { try catalogue.definitions.remove(found.name) } catch let second {
                    throw error.followed(by: second)
                }
                throw error
            }
        }
        return found
    }

    /// Takes over on this host what is defined on the share.
    private func copy(_ found: VolumeDefinition, insteadOf wanted: VolumeDefinition, acceptsAny: Bool) throws(StorageError) {
        let name = wanted.name
        var kept = found
        if let difference = try found.difference(from: wanted, state.words) {
            let place = wanted.share?.text ?? ""
            guard acceptsAny else {
                throw StorageError(
                    .conflict,
                    "volume \(name) exists on the share \(place) with other options: \(difference); take it as it is (give no options), or remove it first (\(state.words.removal) \(name))"
                )
            }
            do throws(StorageError) { try found.options.source.validate(for: .volume) } catch {
                throw error.prefixed(by: "cannot create volume \(name) as the share \(place) has it")
            }
        } else {
            // A caller of this host has given these options.
            kept = VolumeDefinition(
                name: name, owner: found.owner, createdAt: found.createdAt, options: wanted.options, share: found.share)
        }
        let record = table.record(name)
        if let record, record.definition == found, !record.definition.isForeign || kept.isForeign || !record.isFree { return }
        if let record, !record.isFree {
            throw StorageError(
                .inUse,
                "volume \(name) was removed on another host and is still in use on this one; stop its \(state.words.holder)s here, then try again"
            )
        }
        do throws(StorageError) { try table.define(kept) } catch { throw error.prefixed(by: "cannot create volume \(name)") }
    }

    // MARK: Changing

    package func redefine(
        _ definition: VolumeDefinition, as new: VolumeDefinition, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) {
        guard let share = definition.share else { return }
        let catalogue = try access.catalogue(of: share, until: deadline, cancellation)
        try follower.duringCreation { () throws(StorageError) in
            try catalogue.marks.checkForUse(of: definition.name)
            guard try isCurrent(definition, catalogue) else {
                throw StorageError(.noSuchVolume, "it was removed on another host")
            }
            try catalogue.definitions.replace(with: new)
            follower.noteOwnChange(of: definition.name)
        }
    }

    // MARK: Removing

    package func remove(
        _ definition: VolumeDefinition, until deadline: Deadline, disposingBy dispose: (Deadline) throws(DisposalError) -> Void
    ) throws(StorageError) {
        guard let share = definition.share else { return }
        let name = definition.name
        let isTouched = definition.options.removal != .retain
        // A share that is not configured any more may be gone for good; nothing of it is to be touched.
        if share != state.settings.share, !isTouched { return }
        let catalogue = try access.catalogue(of: share, until: deadline)
        do {
            let isDefined =
                if isTouched {
                    try disposeUnderMark(definition, catalogue, dispose)
                } else {
                    try isCurrent(definition, catalogue)
                }
            if isDefined {
                if isTouched { marks.removalHasBegun(of: name, share) }
                try catalogue.definitions.remove(name)
                if isTouched { try catalogue.marks.forgetMarks(of: name) }
            }
        } catch {
            marks.readAgain(share)
            if let error = error as? DisposalError {
                throw StorageError(
                    error.code, error.description + (error.hasBegun ? "; until then no host mounts the volume" : ""), cause: error)
            }
            throw (error as? StorageError ?? StorageError(.catalogue, "\(error)", cause: error))
                .prefixed(by: "cannot remove volume \(name)")
        }
        follower.noteOwnChange(of: name)
        marks.forget(name, of: share)
    }

    /// Disposes of a volume's data once the mark of this removal is on the share and no other host uses the volume.
    ///
    /// - Returns: false if the volume is not defined on the share any more; its marks are gone then, too.
    /// - Throws: `StorageError` or `DisposalError`.
    private func disposeUnderMark(
        _ definition: VolumeDefinition, _ catalogue: ShareCatalogue, _ dispose: (Deadline) throws(DisposalError) -> Void
    ) throws -> Bool {
        let (name, share) = (definition.name, catalogue.share)
        let isMarkNew = try catalogue.marks.beginRemoval(name)
        if !isMarkNew { marks.removalHasBegun(of: name, share) }
        do {
            guard try isCurrent(definition, catalogue) else {
                // Another host has removed it: nothing on the share is this volume's any more.
                try catalogue.marks.forgetMarks(of: name)
                return false
            }
            // Another host may have defined it a moment ago. From now on the mark keeps others from it.
            if let other = try catalogue.definitions.first(where: { $0.name != name && definition.disposalTouches($0) }) {
                throw DisposalError.sharedDirectory(of: definition, with: other.name)
            }
            try dispose(Deadline(catalogue.deadline.instant - Self.removalReserve))
            return true
        } catch {
            let failure = error as? DisposalError
            if let stuck = failure?.stuck { blocked.block(share, because: stuck.reason, until: stuck.waitUntilGone) }
            if failure?.hasBegun == true { marks.removalHasBegun(of: name, share) }
            guard isMarkNew, failure?.hasBegun != true else { throw error }
            do throws(StorageError) { try catalogue.marks.giveUpRemoval(name) } catch let second {
                if let failure { throw failure.followed(by: second) }
                throw (error as? StorageError)?.followed(by: second) ?? StorageError(.catalogue, "\(error); and then: \(second)")
            }
            throw error
        }
    }

    /// - Returns: false if the volume is not defined on the share any more.
    /// - Throws: `StorageError` if it is another one by now; this host's copy is the new one then.
    private func isCurrent(_ definition: VolumeDefinition, _ catalogue: ShareCatalogue) throws(StorageError) -> Bool {
        let name = definition.name
        guard let current = try catalogue.definitions.definition(of: name) else { return false }
        if current == definition { return true }
        try table.define(current)
        follower.noteOwnChange(of: name)
        throw StorageError(
            .conflict,
            "it was removed on another host and defined anew; look at it (\(state.words.inspection) \(name)), then try again")
    }
}
