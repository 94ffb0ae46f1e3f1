// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import KernelMount
import Synchronization
import Volumes

/// Learns from the share's catalogue what other hosts have created and removed, and brings this host's copies in line.
final class CatalogueFollower: Sendable {
    /// The least time between two looks, however often one is asked for.
    private static let shortestPause = Duration.seconds(1)
    /// The longest time between two looks at a share that does not answer.
    private static let longestPause = Duration.seconds(60)
    /// Limit for one look.
    private static let readingLimit = Duration.seconds(60)

    let memory = Mutex(CatalogueMemory())
    private let state: VolumeState
    private let refresh: Duration
    private let access: CatalogueAccess
    private let marks: OwnMarks
    private let logger: Logger
    /// Ends what waits or is under way.
    private let ending: Cancellation
    /// That a look is asked for. Requests that arrive during a look are coalesced.
    private let requests: AsyncStream<Void>
    private let requestSource: AsyncStream<Void>.Continuation

    private var configuredShare: Share? { state.settings.share }
    private var table: VolumeTable { state.table }
    private var locks: VolumeLocks { state.locks }

    /// - Parameter refresh: how often the catalogue is read.
    init(
        _ state: VolumeState, refresh: Duration, access: CatalogueAccess, marks: OwnMarks, ending: Cancellation, logger: Logger
    ) {
        self.state = state
        self.refresh = refresh
        self.access = access
        self.marks = marks
        self.ending = ending
        self.logger = logger
        (requests, requestSource) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: What happens

    /// Asks for a look. Never blocks.
    func requestLook() { requestSource.yield() }

    /// Ends ``run()`` once its cancellation has come.
    func shutDown() { requestSource.finish() }

    /// Notes that this host itself has changed the catalogue's definition of a volume.
    func noteOwnChange(of name: VolumeName) { memory.withLock { $0.changed(name) } }

    /// Notes that this host writes a definition while `body` runs.
    func duringCreation<Value>(_ body: () throws(StorageError) -> Value) throws(StorageError) -> Value {
        memory.withLock { memory in
            memory.creations.begun += 1
            memory.creations.running += 1
        }
        defer { memory.withLock { $0.creations.running -= 1 } }
        return try body()
    }

    /// Reads the catalogue at the start, at intervals, and when a look is asked for. Returns at once if there is no share.
    func run() async {
        guard configuredShare != nil || table.contains(where: { $0.definition.share != nil }) else { return }
        requestLook()
        var pause = Self.shortestPause
        var next: Task<Void, Never>?
        for await _ in requests {
            next?.cancel()
            let isRead = (try? await BlockingThread.run(named: "share", { [self] in readCatalogue() })) ?? false
            pause = isRead ? Self.shortestPause : min(max(pause * 2, refresh), Self.longestPause)
            guard !ending.isCancelled else { break }
            let rest = isRead ? refresh : pause
            next = Task { [self] in
                try? await Task.sleep(for: rest)
                if !Task.isCancelled { requestLook() }
            }
            let (ending, length) = (ending, pause)
            try? await BlockingThread.run(named: "share-pause") { _ = ending.sleep(for: length) }
        }
        next?.cancel()
    }

    // MARK: Looking

    /// One look. Blocks on the server.
    ///
    /// - Returns: false if the configured share could not be read.
    func readCatalogue() -> Bool {
        let isRead = configuredShare.map { share in
            visit(share, Self.readingLimit) { (catalogue) throws(StorageError) in
                try look(into: catalogue)
                try marks.releaseUnused(in: catalogue)
            }
        }
        releaseMarksElsewhere()
        return isRead ?? true
    }

    /// Volumes of a share that was configured earlier, or spelled differently, are still mounted and marked.
    private func releaseMarksElsewhere() {
        if let next = memory.withLock({ $0.nextTryOfOthers }), .now < next { return }
        var shares: [Share] = []
        for share in marks.sharesToVisit(among: table.records.compactMap(\.definition.share))
        where share != configuredShare && !shares.contains(share) { shares.append(share) }
        // Shuffled, so that one dead share does not starve the others.
        for share in shares.shuffled() where !visit(share, ShareCatalogue.briefLimit, marks.releaseUnused) {
            return memory.withLock { $0.nextTryOfOthers = .now + Self.longestPause }
        }
    }

    /// - Returns: false if that failed, which is in the log.
    private func visit(_ share: Share, _ limit: Duration, _ body: (ShareCatalogue) throws(StorageError) -> Void) -> Bool {
        do throws(StorageError) {
            try body(try access.catalogue(of: share, until: Deadline(after: limit), ending))
            let trouble = memory.withLock { $0.trouble.removeValue(forKey: share.text) }
            if trouble != nil { logger.notice("the catalogue of \(share.text) can be read again") }
            return true
        } catch {
            if ending.isCancelled { return false }
            // The words for a server that does not answer say for how long.
            let kind = error.code.isAboutReachability ? "\(error.code)" : "\(error)"
            let isNew = memory.withLock { $0.trouble.updateValue(kind, forKey: share.text) != kind }
            if isNew { logger.warning("the share's catalogue cannot be read: \(error); volumes stay as they were last known") }
            return false
        }
    }

    private func look(into catalogue: ShareCatalogue) throws(StorageError) {
        let before = memory.withLock { $0 }
        let stamp = before.isConfirmed ? before.reading?.stamp : nil
        switch try catalogue.definitions.look(unless: stamp, expected: access.knowsVolumes(of: catalogue.share)) {
        case .nothing: memory.withLock { $0.reading = nil }
        case .read(let reading):
            if catalogue.identity == nil, let identity = try catalogue.identities().first {
                try access.keep(identity, of: catalogue.share)
            }
            if before.creations.running == 0, before.creations.begun == memory.withLock({ $0.creations.begun }) {
                try catalogue.definitions.remove(drafts: reading.drafts)
            }
            let isConfirmed = !reading.stamp.isEmpty && reading.stamp == before.reading?.stamp
            adopt(reading, catalogue, since: before.changes, isFresh: true)
            memory.withLock { $0.isConfirmed = isConfirmed }
        case .unchanged:
            guard var reading = before.reading, !before.isSettled || !reading.damaged.isEmpty else { return }
            // A file that is corrected in place does not change the folder.
            if !reading.damaged.isEmpty { try catalogue.definitions.readDamagedAgain(&reading) }
            adopt(reading, catalogue, since: before.readAt, isFresh: false)
        }
    }

    // MARK: Adopting

    /// Brings memory and this host's copies in line with what was read.
    ///
    /// - Parameters:
    ///   - changes: how many changes this host had made itself when the reading began.
    ///   - isFresh: false if this reading has been adopted in part before, and its troubles are in the log already.
    private func adopt(_ reading: CatalogueDefinitions.Reading, _ catalogue: ShareCatalogue, since changes: Int, isFresh: Bool) {
        var kept = reading
        kept.refuseWhatOthersMayNotSay { table.definition(of: $0.name) == $0 }
        let reading = kept
        report(reading, catalogue.share)
        var isSettled = true
        for definition in reading.definitions where table.definition(of: definition.name) != definition {
            isSettled = ifUntouched(definition.name, since: changes) { adopt(definition, catalogue, isFresh: isFresh) } && isSettled
        }
        if reading.isComplete {
            let gone = table.records.map(\.definition).filter { $0.share != nil && !reading.fileNames.contains($0.name.fileName) }
            for name in gone.map(\.name) { isSettled = ifUntouched(name, since: changes) { forget(name) } && isSettled }
        }
        if isSettled { kept.definitions = [] }
        memory.withLock { [kept, isSettled] memory in
            memory.reading = kept
            memory.readAt = changes
            memory.isSettled = isSettled
            memory.changedAt = memory.changedAt.filter { $0.value > changes }
        }
    }

    /// Says what is wrong in a reading, unless that was so in the last one.
    private func report(_ reading: CatalogueDefinitions.Reading, _ share: Share) {
        let earlier = memory.withLock { $0.reading }
        for (file, reason) in reading.damaged.sorted(by: { $0.key < $1.key }) where earlier?.damaged[file] != reason {
            logger.error("\(share.text)/\(Share.catalogueFolder)/volumes/\(file) cannot be used: \(reason); correct or remove it there")
        }
        if !reading.isComplete, earlier?.isComplete != false {
            logger.error("the catalogue of \(share.text) has more volumes than one look reads; some are not known here")
        }
    }

    /// Does something with a volume that is not being worked on, unless this host itself has changed it since.
    ///
    /// - Returns: false if it must be tried again.
    private func ifUntouched(_ name: VolumeName, since changes: Int, _ body: () -> Bool) -> Bool {
        guard locks.acquireIfFree(name) else { return false }
        defer { locks.release(name) }
        if memory.withLock({ $0.changedAt[name] ?? 0 }) > changes { return false }
        return body()
    }

    private func adopt(_ definition: VolumeDefinition, _ catalogue: ShareCatalogue, isFresh: Bool) -> Bool {
        let name = definition.name
        if let record = table.record(name) {
            if record.definition.share == nil {
                if isFresh {
                    logger.warning("volume \(name) of \(catalogue.share.text) is not seen here: a volume of this host has its name")
                }
                return true
            }
            // What is mounted stays what was defined before; it is changed when it is free.
            guard record.isFree else {
                announceUse(of: definition, catalogue, isFresh: isFresh)
                return false
            }
        }
        do throws(StorageError) { try table.define(definition) } catch {
            logger.error("volume \(name) of the share cannot be kept: \(error)")
            return false
        }
        logger.info("volume \(name) learned from \(catalogue.share.text)")
        return true
    }

    /// A volume that was mounted here when its removal touched no data has no mark. If it was defined again since, with a removal that
    /// touches data, the other hosts are told now.
    private func announceUse(of definition: VolumeDefinition, _ catalogue: ShareCatalogue, isFresh: Bool) {
        let name = definition.name
        guard definition.options.removal != .retain, !marks.isUseMarked(name, of: catalogue.share) else { return }
        do throws(StorageError) {
            try marks.markUse(of: name, in: catalogue.briefly())
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
}
