// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
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
    private static let readingLimit = Duration.seconds(30)

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
        guard let share = settings.share else { return true }
        let memory = state.withLock { $0.catalogue }
        let known = state.withLock { state in state.records.values.filter { $0.definition.share == share }.map(\.definition.name) }
        do {
            var catalogue = try catalogue(share, limit: Self.readingLimit)
            catalogue.cancellation = ending
            if let reading = try catalogue.read(unless: memory.stamp, expected: !known.isEmpty) { take(reading, of: share, since: memory) }
            try releaseMarks(catalogue)
            let trouble = state.withLock { state in
                state.catalogue.isRead = true
                return state.catalogue.trouble.take()
            }
            if trouble != nil { logger.notice("the catalogue of \(share.text) can be read again") }
            return true
        } catch {
            if ending.isCancelled { return false }
            let isNew = state.withLock { state in
                defer { state.catalogue.trouble = "\(error)" }
                return state.catalogue.trouble != "\(error)"
            }
            if isNew { logger.warning("the share's catalogue cannot be read: \(error); volumes stay as they were last known") }
            (error as? CatalogueError)?.stuck?.waitUntilGone()
            return false
        }
    }

    /// Brings memory and this host's copies in line with what was read.
    private func take(_ reading: ShareCatalogue.Reading, of share: Share, since memory: CatalogueMemory) {
        for (file, reason) in reading.damaged {
            logger.error("\(share.text)/\(Share.catalogueFolder)/volumes/\(file) cannot be used: \(reason); correct or remove it there")
        }
        if !reading.isComplete { logger.error("the catalogue of \(share.text) has more volumes than can be read; some are not known here") }
        var isSettled = true
        for definition in reading.definitions where record(definition.name)?.definition != definition {
            isSettled = isChanged(definition.name, since: memory) { take(definition) } && isSettled
        }
        if reading.isComplete {
            let gone = state.withLock { state in
                state.records.values.filter { $0.definition.share != nil && !reading.fileNames.contains($0.definition.name.fileName) }
                    .map(\.definition.name)
            }
            for name in gone { isSettled = isChanged(name, since: memory) { forget(name) } && isSettled }
        }
        state.withLock { state in
            // What could not be settled is looked at again.
            state.catalogue.stamp = isSettled && reading.stamp == state.catalogue.lastStamp ? reading.stamp : nil
            state.catalogue.lastStamp = isSettled ? reading.stamp : nil
            state.catalogue.changedAt = state.catalogue.changedAt.filter { $0.value > memory.changes }
        }
    }

    /// Does something with a volume that nobody works on now, if this host itself has not changed it since.
    ///
    /// - Returns: false if it must be tried again.
    private func isChanged(_ name: VolumeName, since memory: CatalogueMemory, _ body: () -> Bool) -> Bool {
        guard locks.acquireIfFree(name) else { return false }
        defer { locks.release(name) }
        if state.withLock({ $0.catalogue.changedAt[name] ?? 0 }) > memory.changes { return false }
        return body()
    }

    private func take(_ definition: VolumeDefinition) -> Bool {
        let name = definition.name
        if let record = record(name) {
            if record.definition.share == nil {
                logger.warning(
                    "volume \(name) of \(definition.share?.text ?? "the share") is not seen here: a volume of this host has its name")
                return true
            }
            // What is mounted is what was defined before; it is changed when it is free.
            guard record.isFree else { return false }
        }
        do throws(SystemError) { try learn(definition) } catch {
            logger.error("volume \(name) of the share cannot be kept: \(error)")
            return false
        }
        logger.info("volume \(name) learned from \(definition.share?.text ?? "the share")")
        return true
    }

    private func forget(_ name: VolumeName) -> Bool {
        guard let record = record(name), record.isFree else { return false }
        do throws(SystemError) { try files.removeDefinition(of: name) } catch {
            logger.error("volume \(name) was removed from the share, but its copy here cannot be: \(error)")
            return false
        }
        state.withLock { state in _ = state.records.removeValue(forKey: name) }
        logger.info("volume \(name) is gone: another host has removed it")
        return true
    }

    /// Takes back the marks of volumes that are not mounted here any more, also those that an earlier boot left.
    private func releaseMarks(_ catalogue: ShareCatalogue) throws(CatalogueError) {
        let (isKnown, candidates) = state.withLock { state in
            let all = state.records.values.map(\.definition).filter { $0.share == catalogue.share && $0.options.removal != .retain }
            return (state.catalogue.knowsOldMarks, all.map(\.name))
        }
        if !isKnown, !candidates.isEmpty {
            let marks = try catalogue.ownUses(among: candidates)
            state.withLock { state in
                state.catalogue.marked.formUnion(marks)
                state.catalogue.knowsOldMarks = true
            }
        }
        let marked = state.withLock { $0.catalogue.marked }
        for name in marked.sorted(by: { $0.fileName < $1.fileName }) where record(name)?.isFree ?? true {
            guard locks.acquireIfFree(name) else { continue }
            defer { locks.release(name) }
            guard record(name)?.isFree ?? true else { continue }
            try catalogue.releaseUses([name])
            state.withLock { state in _ = state.catalogue.marked.remove(name) }
        }
    }
}
