// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import NFSMount
import Synchronization
import SystemPackage

/// Volumes of the default share: their definitions are the share's, and this host keeps copies.
extension NFSVolumes {
    /// For all that a creation does on the share.
    static let creationLimit = Duration.seconds(30)
    /// For all that a removal does on the share; Docker waits 60 s.
    static let removalLimit = Duration.seconds(55)
    /// What of it is left, when the data are disposed of, for the definition and the marks.
    private static let removalReserve = Duration.seconds(8)

    /// - Parameter deadline: for all that is done with it.
    func catalogue(
        _ share: Share, until deadline: Deadline, cancellation: Cancellation? = nil
    ) throws(StorageError) -> ShareCatalogue {
        do throws(MountOptionError) {
            return ShareCatalogue(
                share: share, mounter: mounter, options: try settings.catalogueOptions(), versions: settings.versions, host: hostName,
                deadline: deadline, cancellation: cancellation, held: heldShares, identity: identity(of: share))
        } catch {
            throw StorageError(.badOption, "the mount options of the share cannot be used: \(error)", cause: error)
        }
    }

    /// The catalogue of a share that this host knows volumes of; one that knows none takes any.
    func identity(of share: Share) -> String? {
        knowsVolumes(of: share) ? state.withLock { $0.catalogue.identities[share.text] } : nil
    }

    /// On disk first. The file is one for all, so it is written by one at a time.
    func keep(_ identity: String, of share: Share) throws(StorageError) {
        let failure: SystemError? = keepingIdentities.withLock { _ in
            let others = table.records.compactMap(\.definition.share?.text)
            let identities: [String: String]? = state.withLock { state in
                if state.catalogue.identities[share.text] == identity { return nil }
                var identities = [share.text: identity]
                for other in others where other != share.text { identities[other] = state.catalogue.identities[other] }
                return identities
            }
            guard let identities else { return nil }
            do throws(SystemError) { try files.write(identities) } catch { return error }
            state.withLock { state in state.catalogue.identities = identities }
            return nil
        }
        if let failure { throw StorageError(.catalogue, "the identity of the share's catalogue cannot be stored: \(failure)") }
    }

    /// What other hosts know this one by. machine-id(5)
    static func machineID() -> String? {
        let bytes = (try? readWholeFile("/etc/machine-id", limit: 4096)) ?? []
        let id = bytes.prefix { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        return id.count == 32 ? String(decoding: id, as: UTF8.self) : nil
    }

    func knowsVolumes(of share: Share) -> Bool {
        table.contains { $0.definition.share == share }
    }

    /// Blocks; the caller holds the volume's lock.
    ///
    /// - Parameter takesAny: what is defined already will do, whatever its options.
    func createInShare(
        _ wanted: VolumeDefinition, _ share: Share, takesAny: Bool, until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) {
        let name = wanted.name
        let catalogue = try catalogue(share, until: deadline, cancellation: cancellation)
        let found: VolumeDefinition
        state.withLock { state in
            state.catalogue.creations.begun += 1
            state.catalogue.creations.running += 1
        }
        defer { state.withLock { state in state.catalogue.creations.running -= 1 } }
        do throws(StorageError) {
            let begins = !knowsVolumes(of: share)
            let known = if let identity = catalogue.identity { identity } else { try catalogue.identities().first }
            let new = known == nil ? [UInt64.random(in: 0 ... .max), .random(in: 0 ... .max)].map { String($0, radix: 16) }.joined() : nil
            try catalogue.checkForRemoval(of: name, begins: begins)
            found = try catalogue.create(wanted, begins: begins, identity: new)
            if let identity = known ?? new { try keep(identity, of: share) }
        } catch {
            throw error.prefixed(by: "cannot create volume \(name)")
        }
        if let difference = try found.difference(from: wanted), !takesAny {
            throw StorageError(
                .conflict,
                "volume \(name) exists on the share \(share.text) with other options: \(difference); take it as it is (give no options), or remove it first (docker volume rm \(name))"
            )
        }
        if let record = table.record(name), record.definition != found, !record.isFree {
            throw StorageError(
                .inUse,
                "volume \(name) was removed on another host and is still in use on this one; stop its containers here, then try again")
        }
        do throws(SystemError) {
            if table.record(name)?.definition != found { try table.define(found) }
        } catch {
            throw StorageError(.local, "cannot create volume \(name): its definition cannot be stored: \(error)", cause: error)
        }
        state.withLock { state in state.catalogue.changed(name) }
        logger.info("volume \(name) \(found == wanted ? "created" : "found") on the share \(share.text) under \(found.driver)")
    }

    /// Blocks; the caller holds the volume's lock, and nothing uses the volume on this host.
    func removeFromShare(_ definition: VolumeDefinition, _ share: Share, until deadline: Deadline) throws(StorageError) {
        let name = definition.name
        let isTouched = definition.options.removal != .retain
        // A share that is not this host's any more may be gone for good; nothing of it is to be touched.
        if share != settings.share, !isTouched { return }
        let catalogue = try catalogue(share, until: deadline)
        do {
            let isMarkNew = try isTouched && catalogue.beginRemoval(name)
            if isTouched, !isMarkNew { removalHasBegun(of: name, share) }
            do {
                guard let current = try catalogue.definition(of: name) else {
                    // Another host has removed it: nothing on the share is this volume's any more.
                    if isTouched { try catalogue.forgetMarks(of: name) }
                    return forgetMark(of: name, share)
                }
                if current != definition {
                    do throws(SystemError) { try table.define(current) } catch {
                        throw StorageError(.catalogue, "its definition cannot be stored: \(error)")
                    }
                    state.withLock { state in state.catalogue.changed(name) }
                    throw StorageError(
                        .catalogue,
                        "it was removed on another host and defined anew; look at it (docker volume inspect \(name)), then try again")
                }
                try disposeOfData(definition, until: Deadline(deadline.instant - Self.removalReserve))
            } catch {
                if isTouched, (error as? DisposalError)?.hasBegun == true { removalHasBegun(of: name, share) }
                guard isMarkNew, (error as? DisposalError)?.hasBegun != true else { throw error }
                do throws(StorageError) { try catalogue.giveUpRemoval(name) } catch let second {
                    if error is DisposalError { throw DisposalError(description: "\(error); and then: \(second)") }
                    throw StorageError(.catalogue, "\(error); and then: \(second)")
                }
                throw error
            }
            if isTouched { removalHasBegun(of: name, share) }
            try catalogue.remove(name)
            if isTouched { try catalogue.forgetMarks(of: name) }
        } catch {
            // A mark that stays where it should not is found by the next look.
            state.withLock { state in _ = state.catalogue.knowsOldMarks.remove(share.text) }
            if let error = error as? DisposalError {
                throw StorageError(
                    .disposal, error.description + (error.hasBegun ? "; until then no host mounts the volume" : ""), cause: error)
            }
            throw (error as? StorageError ?? StorageError(.catalogue, "\(error)", cause: error))
                .prefixed(by: "cannot remove volume \(name)")
        }
        forgetMark(of: name, share)
    }

    private func removalHasBegun(of name: VolumeName, _ share: Share) {
        state.withLock { state in _ = state.catalogue.begunRemovals.insert(RemovalOnShare(name: name, share: share.text)) }
    }

    private func forgetMark(of name: VolumeName, _ share: Share) {
        state.withLock { state in
            state.catalogue.changed(name)
            state.catalogue.begunRemovals.remove(RemovalOnShare(name: name, share: share.text))
            state.catalogue.unmark(name, of: share)
        }
    }

    /// Before a volume is mounted whose removal would touch its data, other hosts are told. Blocks; the caller holds the volume's lock.
    func markUse(of definition: VolumeDefinition, until deadline: Deadline, _ cancellation: Cancellation) throws(StorageError) {
        guard definition.options.removal != .retain, let share = definition.share else { return }
        let catalogue = try catalogue(share, until: deadline, cancellation: cancellation)
        do throws(StorageError) { try markUse(of: definition.name, catalogue) } catch {
            let reason = "\(timestamp()): \(error)"
            table.change(definition.name) { $0.lastFailure = reason }
            throw error.prefixed(by: "cannot mount volume \(definition.name)")
        }
    }

    func markUse(of name: VolumeName, _ catalogue: ShareCatalogue) throws(StorageError) {
        // Noted first: a mark whose making failed may stand all the same, and the next look takes it back.
        state.withLock { state in state.catalogue.mark(name, of: catalogue.share, stands: false) }
        try catalogue.markUse(name)
        state.withLock { state in state.catalogue.mark(name, of: catalogue.share, stands: true) }
    }
}
