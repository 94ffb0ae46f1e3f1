// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import NFSMount
import Synchronization

/// Learning from the share's catalogue what other hosts have created and removed.
extension NFSVolumes {
    /// The least time between two looks, whatever is asked for.
    private static let shortestPause = Duration.seconds(1)
    /// The longest time between two looks at a share that does not answer.
    private static let longestPause = Duration.seconds(60)
    /// A look that takes longer is given up.
    private static let readingLimit = Duration.seconds(60)
    /// The same for what is done while Docker may wait for a volume, and for shares that are not the setting's.
    private static let briefLimit = Duration.seconds(10)

    /// Reads the catalogue at the start, every now and then, and when a volume is asked for that is not known. Ends with the daemon.
    func followCatalogue() async {
        catalogueMayHaveChanged()
        var pause = Self.shortestPause
        var next: Task<Void, Never>?
        for await _ in readings {
            next?.cancel()
            let isRead = (try? await BlockingThread.run(named: "nfsd-share", { [self] in readCatalogue() })) ?? false
            pause = isRead ? Self.shortestPause : min(max(pause * 2, settings.shareRefresh), Self.longestPause)
            guard !ending.isCancelled else { break }
            let rest = isRead ? settings.shareRefresh : pause
            next = Task { [self] in
                try? await Task.sleep(for: rest)
                if !Task.isCancelled { catalogueMayHaveChanged() }
            }
            // Wishes that come meanwhile wait, and are one.
            let (ending, length) = (ending, pause)
            try? await BlockingThread.run(named: "nfsd-pause") { _ = ending.sleep(for: length) }
        }
        next?.cancel()
    }

    /// One look. Blocks.
    ///
    /// - Returns: false if the share could not be read.
    func readCatalogue() -> Bool {
        let isRead = settings.share.map { share in
            access(share, Self.readingLimit) { catalogue in
                try look(into: catalogue)
                try releaseMarks(catalogue)
            }
        }
        releaseMarksElsewhere()
        return isRead ?? true
    }

    /// Volumes of a share that was set before, or whose name was spelled otherwise, are mounted and marked as ever.
    private func releaseMarksElsewhere() {
        let ofVolumes = table.records.compactMap(\.definition.share)
        let shares: [Share] = state.withLock { state in
            if let next = state.catalogue.nextTryOfOthers, .now < next { return [] }
            var shares: [Share] = []
            let known = ofVolumes.filter { !state.catalogue.knowsOldMarks.contains($0.text) }
            for share in known + state.catalogue.marks.map(\.share) where share != settings.share && !shares.contains(share) {
                shares.append(share)
            }
            return shares
        }
        // One that does not answer keeps the others waiting, and is not always the first.
        for share in shares.shuffled() where !access(share, Self.briefLimit, releaseMarks) {
            return state.withLock { state in state.catalogue.nextTryOfOthers = .now + Self.longestPause }
        }
    }

    /// - Returns: false if that failed, which is in the log.
    private func access(_ share: Share, _ limit: Duration, _ body: (ShareCatalogue) throws -> Void) -> Bool {
        do {
            try body(try catalogue(share, until: Deadline(after: limit), cancellation: ending))
            let trouble = state.withLock { state in state.catalogue.trouble.removeValue(forKey: share.text) }
            if trouble != nil { logger.notice("the catalogue of \(share.text) can be read again") }
            return true
        } catch {
            if ending.isCancelled { return false }
            let isNew = state.withLock { state in state.catalogue.trouble.updateValue("\(error)", forKey: share.text) != "\(error)" }
            if isNew { logger.warning("the share's catalogue cannot be read: \(error); volumes stay as they were last known") }
            return false
        }
    }

    private func look(into catalogue: ShareCatalogue) throws(StorageError) {
        let memory = state.withLock { $0.catalogue }
        switch try catalogue.look(unless: memory.isConfirmed ? memory.reading?.stamp : nil, expected: knowsVolumes(of: catalogue.share)) {
        case .nothing: state.withLock { state in state.catalogue.reading = nil }
        case .read(let reading):
            if catalogue.identity == nil, let identity = try catalogue.identities().first { try keep(identity, of: catalogue.share) }
            if memory.creations.running == 0, memory.creations.begun == state.withLock({ $0.catalogue.creations.begun }) {
                try catalogue.remove(drafts: reading.drafts)
            }
            let isConfirmed = !reading.stamp.isEmpty && reading.stamp == memory.reading?.stamp
            take(reading, catalogue, since: memory.changes, isFresh: true)
            state.withLock { state in state.catalogue.isConfirmed = isConfirmed }
        case .unchanged:
            guard var reading = memory.reading, !memory.isSettled || !reading.damaged.isEmpty else { return }
            // A file that is corrected in place does not change the folder.
            if !reading.damaged.isEmpty { try catalogue.readDamagedAgain(&reading) }
            take(reading, catalogue, since: memory.readAt, isFresh: false)
        }
    }

    /// Brings memory and this host's copies in line with what was read.
    private func take(_ reading: ShareCatalogue.Reading, _ catalogue: ShareCatalogue, since changes: Int, isFresh: Bool) {
        let share = catalogue.share
        let earlier = state.withLock { $0.catalogue.reading }
        for (file, reason) in reading.damaged.sorted(by: { $0.key < $1.key }) where earlier?.damaged[file] != reason {
            logger.error("\(share.text)/\(Share.catalogueFolder)/volumes/\(file) cannot be used: \(reason); correct or remove it there")
        }
        if !reading.isComplete, earlier?.isComplete != false {
            logger.error("the catalogue of \(share.text) has more volumes than can be read; some are not known here")
        }
        var isSettled = true
        for definition in reading.definitions where table.record(definition.name)?.definition != definition {
            isSettled = isChanged(definition.name, since: changes) { take(definition, catalogue, isFresh: isFresh) } && isSettled
        }
        if reading.isComplete {
            let gone = table.records.map(\.definition).filter { $0.share != nil && !reading.fileNames.contains($0.name.fileName) }.map(
                \.name)
            for name in gone { isSettled = isChanged(name, since: changes) { forget(name) } && isSettled }
        }
        var kept = reading
        if isSettled { kept.definitions = [] }
        state.withLock { [kept] state in
            state.catalogue.reading = kept
            state.catalogue.readAt = changes
            state.catalogue.isSettled = isSettled
            state.catalogue.changedAt = state.catalogue.changedAt.filter { $0.value > changes }
        }
    }

    /// Does something with a volume that nobody works on now, if this host itself has not changed it since.
    ///
    /// - Returns: false if it must be tried again.
    private func isChanged(_ name: VolumeName, since changes: Int, _ body: () -> Bool) -> Bool {
        guard locks.acquireIfFree(name) else { return false }
        defer { locks.release(name) }
        if state.withLock({ $0.catalogue.changedAt[name] ?? 0 }) > changes { return false }
        return body()
    }

    private func take(_ definition: VolumeDefinition, _ catalogue: ShareCatalogue, isFresh: Bool) -> Bool {
        let name = definition.name
        if let record = table.record(name) {
            if record.definition.share == nil {
                if isFresh {
                    logger.warning("volume \(name) of \(catalogue.share.text) is not seen here: a volume of this host has its name")
                }
                return true
            }
            // What is mounted is what was defined before; it is changed when it is free.
            guard record.isFree else {
                announceUse(of: definition, catalogue, isFresh: isFresh)
                return false
            }
        }
        do throws(SystemError) { try table.define(definition) } catch {
            logger.error("volume \(name) of the share cannot be kept: \(error)")
            return false
        }
        logger.info("volume \(name) learned from \(catalogue.share.text)")
        return true
    }

    /// A volume that was mounted here when its removal touched nothing, and that was defined anew since, has no mark yet.
    private func announceUse(of definition: VolumeDefinition, _ catalogue: ShareCatalogue, isFresh: Bool) {
        let name = definition.name
        guard definition.options.removal != .retain, state.withLock({ $0.catalogue.mark(name, of: catalogue.share)?.stands }) != true else {
            return
        }
        do throws(StorageError) {
            try markUse(of: name, brief(catalogue))
            logger.notice("volume \(name) was defined anew on another host while this one uses it; the others are told of that")
        } catch {
            if isFresh { logger.error("volume \(name) was defined anew on another host while this one uses it: \(error)") }
        }
    }

    private func forget(_ name: VolumeName) -> Bool {
        guard let record = table.record(name), record.isFree else { return false }
        do throws(SystemError) { try table.remove(name) } catch {
            logger.error("volume \(name) was removed from the share, but its copy here cannot be: \(error)")
            return false
        }
        logger.info("volume \(name) is gone: another host has removed it")
        return true
    }

    /// Takes back the marks of volumes that are not mounted here any more, also those that an earlier run left.
    private func releaseMarks(_ catalogue: ShareCatalogue) throws(StorageError) {
        let share = catalogue.share
        if !state.withLock({ $0.catalogue.knowsOldMarks.contains(share.text) }) {
            let own = try catalogue.ownMarks()
            state.withLock { state in
                for name in own.uses where state.catalogue.mark(name, of: share) == nil {
                    state.catalogue.mark(name, of: share, stands: false)
                }
                if state.catalogue.hasReadMarks.insert(share.text).inserted {
                    state.catalogue.begunRemovals.formUnion(own.removals.map { RemovalOnShare(name: $0, share: share.text) })
                }
            }
            var isKnown = true
            for name in own.removals { isKnown = try dropRemoval(of: name, catalogue) && isKnown }
            if isKnown { state.withLock { state in _ = state.catalogue.knowsOldMarks.insert(share.text) } }
        }
        for name in state.withLock({ $0.catalogue.marks }).filter({ $0.share == share }).map(\.name)
        where table.record(name)?.isFree ?? true {
            guard locks.acquireIfFree(name) else { continue }
            defer { locks.release(name) }
            guard table.record(name)?.isFree ?? true else { continue }
            try brief(catalogue).releaseUse(of: name)
            state.withLock { state in state.catalogue.unmark(name, of: share) }
        }
    }

    /// Takes back the mark of a removal that was cut short, if the volume has gone or nothing was touched. Otherwise its data may be
    /// half gone, and the mark stays until somebody has finished the removal.
    ///
    /// - Returns: false if it must be tried again.
    private func dropRemoval(of name: VolumeName, _ catalogue: ShareCatalogue) throws(StorageError) -> Bool {
        guard locks.acquireIfFree(name) else { return false }
        defer { locks.release(name) }
        let removal = RemovalOnShare(name: name, share: catalogue.share.text)
        let catalogue = brief(catalogue)
        if state.withLock({ $0.catalogue.begunRemovals.contains(removal) }), try catalogue.definition(of: name) != nil { return false }
        try catalogue.giveUpRemoval(name)
        state.withLock { state in _ = state.catalogue.begunRemovals.remove(removal) }
        return true
    }

    /// For as long as a volume's lock is held.
    private func brief(_ catalogue: ShareCatalogue) -> ShareCatalogue {
        var brief = catalogue
        brief.deadline = catalogue.deadline.earlier(Deadline(after: Self.briefLimit))
        return brief
    }
}
