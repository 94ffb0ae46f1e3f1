// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import KernelMount
import LinuxSystem
import Logging
import Synchronization
import SystemPackage
import Volumes

/// Starts containers again whose start failed because a volume's server was away, once the server answers. An engine's own restart policy
/// does not apply to a container that could not be started.
///
/// Which containers these are is asked of the engine each time: those that use the volume, do not run, failed to start, and are to run by
/// their restart policy. Each attempt that fails at a volume again is followed by a longer pause, and there are only so many.
final class FailedStarts: Sendable {
    struct Pace: Sendable {
        /// Between two questions to a server that does not answer; more, up to the longest, the longer it has been away.
        var interval = Duration.seconds(5)
        var longestInterval = Duration.seconds(30)
        /// For a server's answer; the kind has a limit of its own.
        var probe = Duration.seconds(5)
        /// An engine notes a moment after the mount that a start has failed; for so long it is asked again.
        var settling = Duration.seconds(60)
        /// After the first attempt in vain; each further one doubles it.
        var firstPause = Duration.seconds(10)
    }

    private struct Waiting: Sendable {
        var entry: FailedStartFile.Entry
        var failed: ContinuousClock.Instant
        var next: ContinuousClock.Instant
        /// Containers that fail for another reason.
        var others: Set<String> = []
    }

    private struct Memory: Sendable {
        var waiting: [VolumeName: Waiting] = [:]
        /// A container is being started by this object, so that it knows of mounts that fail now.
        var isStarting = false
        var failedMeanwhile = false
        var reported: String?
    }

    static let mostVolumes = 1_000
    static let mostTries = 5

    private let memory: Mutex<Memory>
    private let state: VolumeState
    private let api: EngineAPI
    private let file: FailedStartFile
    /// Whether an engine answers at the socket: a question to one that is about to end would have systemd start it again.
    private let isEngineReady: @Sendable () -> Bool
    private let pace: Pace
    private let logger: Logger
    private let changes: AsyncStream<Void>
    private let changeSource: AsyncStream<Void>.Continuation
    private let wishes: AsyncStream<Void>
    private let wishSource: AsyncStream<Void>.Continuation

    /// Reads what an earlier run has left. Blocks on a local file.
    ///
    /// - Throws: `SystemError` if it is not known which boot this is.
    init(
        _ state: VolumeState, api: EngineAPI, pace: Pace = Pace(), logger: Logger, isEngineReady: @escaping @Sendable () -> Bool
    ) throws(SystemError) {
        self.state = state
        self.api = api
        self.pace = pace
        self.logger = logger
        self.isEngineReady = isEngineReady
        file = try FailedStartFile(runtime: state.settings.runtimeDirectory)
        let now = ContinuousClock.now
        memory = Mutex(Memory(waiting: file.read().mapValues { Waiting(entry: $0, failed: now, next: now) }))
        (changes, changeSource) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (wishes, wishSource) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: What happens

    /// A caller was told that a volume could not be mounted. Never blocks.
    func mountFailed(_ text: String, owner: String, _ error: StorageError) {
        guard let name = VolumeName(text), error.code.isOfServer else { return }
        let now = ContinuousClock.now
        let isNew: Bool? = memory.withLock { memory in
            let known = memory.waiting[name]
            if memory.isStarting {
                memory.failedMeanwhile = true
                if known != nil { return nil }
            }
            guard known != nil || memory.waiting.count < Self.mostVolumes else { return nil }
            // Who answers with a refusal may need a while to know better.
            let first = now + (error.code.isAboutReachability ? .zero : pace.firstPause)
            memory.waiting[name] = Waiting(entry: .init(owner: owner, tries: 0), failed: now, next: first, others: known?.others ?? [])
            return known == nil
        }
        guard let isNew else { return }
        if isNew { logger.notice("volume \(name): containers that could not start without it are started again when its server answers") }
        changeSource.yield()
        wishSource.yield()
    }

    /// Ends ``run()``, but for the part that ends with the cancellation.
    func shutDown() {
        changeSource.finish()
        wishSource.finish()
    }

    /// Handles what has happened until ``shutDown()``.
    func run() async {
        wishSource.yield()
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in
                for await _ in changes { try? await BlockingThread.run(named: "failed-starts") { [self] in write() } }
            }
            group.addTask { [self] in
                for await _ in wishes { try? await BlockingThread.run(named: "failed-starts") { [self] in follow() } }
            }
        }
    }

    private func write() {
        let content = memory.withLock { $0.waiting.mapValues(\.entry) }
        do throws(SystemError) { try file.write(content) } catch {
            logger.warning("which containers are to be started again cannot be stored: \(error)")
        }
    }

    // MARK: Looking

    /// Looks again and again until nothing waits.
    private func follow() {
        while !api.ending.isCancelled, memory.withLock({ !$0.waiting.isEmpty }) {
            if isEngineReady() { look() }
            guard api.ending.sleep(for: pace.interval) else { return }
        }
    }

    private func look() {
        let now = ContinuousClock.now
        let due = memory.withLock { $0.waiting.filter { $0.value.next <= now } }.sorted { $0.value.failed < $1.value.failed }
        var answers: [String: Bool] = [:]
        var ready: [VolumeName] = []
        for (name, waiting) in due {
            guard let definition = state.table.definition(of: name), definition.owner == waiting.entry.owner else {
                drop(name)
                continue
            }
            let source = definition.options.source
            let doesAnswer = answers[source.serverKey] ?? self.doesAnswer(source)
            if api.ending.isCancelled { return }
            answers[source.serverKey] = doesAnswer
            if doesAnswer {
                ready.append(name)
            } else {
                postpone(name, for: min(max(pace.interval, (now - waiting.failed) / 20), pace.longestInterval))
            }
        }
        for name in ready where !api.ending.isCancelled && isEngineReady() { startContainers(of: name, ready: Set(ready)) }
    }

    private func doesAnswer(_ source: any FileSystemSource) -> Bool {
        do throws(StorageError) {
            // What only a mount can find out is left to the container's start.
            guard try state.servers.probe(source, until: Deadline(after: pace.probe), cancellation: api.ending) else { return true }
            return state.servers.state(of: source.serverKey)?.outage == nil
        } catch {
            return false
        }
    }

    // MARK: Starting

    /// - Parameter ready: the volumes whose servers answer.
    private func startContainers(of name: VolumeName, ready: Set<VolumeName>) {
        var (isLeft, hasFailed) = (false, false)
        do throws(SystemError) {
            for id in try api.stoppedContainers(using: name.text) {
                guard let container = try api.container(id), isToStart(container, with: name) else { continue }
                // One that needs two volumes waits for both.
                let others = container.volumes.filter(isOurs).compactMap { VolumeName($0.name) }
                if memory.withLock({ memory in others.contains { memory.waiting[$0] != nil && !ready.contains($0) } }) {
                    isLeft = true
                } else if try !start(container, name) {
                    (isLeft, hasFailed) = (true, true)
                }
            }
            report(nil)
        } catch {
            if api.ending.isCancelled { return }
            report("\(error)")
            return postpone(name, for: pace.longestInterval)
        }
        finish(name, isLeft: isLeft, hasFailed: hasFailed)
    }

    private func isOurs(_ volume: EngineContainer.Volume) -> Bool {
        DaemonSettings.driverNames.contains { $0.hasSameBytes(as: volume.driver) }
    }

    private func isToStart(_ container: EngineContainer, with name: VolumeName) -> Bool {
        guard container.waitsForItsStart else { return false }
        if memory.withLock({ $0.waiting[name]?.others.contains(container.id) }) ?? true { return false }
        return container.volumes.contains { isOurs($0) && VolumeName($0.name) == name }
    }

    /// - Returns: false if it is to be tried again.
    private func start(_ container: EngineContainer, _ name: VolumeName) throws(SystemError) -> Bool {
        let subject = "container \(SanitizedText(container.name, limit: 256))"
        logger.notice("\(subject) is started again: it could not start without volume \(name), whose server answers now")
        memory.withLock { ($0.isStarting, $0.failedMeanwhile) = (true, false) }
        defer { memory.withLock { $0.isStarting = false } }
        switch try api.start(container.id) {
        case .started:
            logger.notice("\(subject) runs again")
            return true
        case .notNeeded: return true
        case .failed(let words):
            let isOfVolume = memory.withLock { $0.failedMeanwhile }
            if !isOfVolume { memory.withLock { _ = $0.waiting[name]?.others.insert(container.id) } }
            logger.warning(
                "\(subject) could not be started again: \(words); \(isOfVolume ? "a volume has failed once more" : "no volume has failed, so it is left to you (docker start)")"
            )
            return !isOfVolume
        }
    }

    // MARK: What comes of it

    private func finish(_ name: VolumeName, isLeft: Bool, hasFailed: Bool) {
        let now = ContinuousClock.now
        let hasGivenUp = memory.withLock { memory in
            guard var waiting = memory.waiting[name] else { return false }
            if hasFailed { waiting.entry.tries += 1 }
            let hasGivenUp = waiting.entry.tries >= Self.mostTries
            let isOver = hasGivenUp || (!isLeft && now >= waiting.failed + pace.settling)
            waiting.next = now + (hasFailed ? pace.firstPause * (1 << (waiting.entry.tries - 1)) : pace.interval)
            memory.waiting[name] = isOver ? nil : waiting
            return hasGivenUp
        }
        if hasGivenUp {
            logger.warning(
                "volume \(name): its containers were started again \(Self.mostTries) times in vain; start them when it can be mounted (docker start)"
            )
        }
        changeSource.yield()
    }

    private func drop(_ name: VolumeName) {
        memory.withLock { $0.waiting[name] = nil }
        changeSource.yield()
    }

    private func postpone(_ name: VolumeName, for pause: Duration) {
        memory.withLock { $0.waiting[name]?.next = .now + pause }
    }

    /// Each kind of trouble with the engine once: it can last for as long as the host runs.
    private func report(_ trouble: String?) {
        let isNews = memory.withLock { memory in
            defer { memory.reported = trouble }
            return trouble != nil && memory.reported != trouble
        }
        if isNews, let trouble { logger.warning("which containers could not start is not known: \(trouble); trying again") }
    }
}

extension StorageError.Code {
    /// Whether the server is what failed, or what it said, which it may say only while it starts.
    fileprivate var isOfServer: Bool {
        isAboutReachability || [.stuck, .stale, .versionNotOffered, .exportNotThere, .accessDenied].contains(self)
    }
}
