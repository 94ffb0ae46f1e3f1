// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Logging
import Synchronization
import SystemPackage

/// Looks after the volumes that are mounted, before somebody trips over one: whether their servers answer, what the kernel counts, and
/// how much room there is.
///
/// Servers are asked at their port, side by side, and never through a mount; only their room is, by a process that can be killed, and
/// only while the server answers. Nothing is done while nothing is mounted. What is known is in memory, and reading it never waits.
package final class HealthWatch: Sendable {
    /// How the looks follow one another.
    struct Pace: Sendable {
        /// Between two looks.
        var interval = Duration.seconds(10)
        /// For a server's answer; the kind has a shorter limit of its own.
        var probe = Duration.seconds(10)
        /// For one statfs(2).
        var usage = Duration.seconds(2)
        /// How long its answer is kept.
        var usageLifetime = Duration.seconds(60)
        /// Servers that are asked at a time.
        var width = 8
    }

    private struct Measurement: Sendable {
        var usage = VolumeHealth.Usage()
        var next: ContinuousClock.Instant = .now
        /// A process that was killed in it has not gone yet, or it is asked just now.
        var isUnderWay = false

        mutating func end(with space: FileSystemSpace?, untilNext lifetime: Duration) {
            isUnderWay = false
            guard let space else { return miss(since: timestamp(), untilNext: lifetime) }
            next = .now + lifetime
            usage = VolumeHealth.Usage(space: space, asOf: timestamp())
        }

        mutating func miss(since: String, untilNext pause: Duration) {
            next = .now + pause
            usage.unknownSince = usage.unknownSince ?? since
        }
    }

    private struct Memory: Sendable {
        var activity: [FilePath: ActivityCounters] = [:]
        /// By the superblock's device.
        var measurements: [String: Measurement] = [:]
        /// Those that are to be asked, the next one last.
        var queue: [MountedServer] = []
        /// The keys of those that are asked now.
        var asked: Set<String> = []
        var workers = 0
        /// Since when each server is away of which the log has said so.
        var told: [String: String] = [:]
        var isWriting = false
        var hasChanged = false
        var isIdle = true

        mutating func next() -> MountedServer? {
            guard let server = queue.popLast() else { return nil }
            asked.insert(server.key)
            return server
        }
    }

    private let memory = Mutex(Memory())
    private let state: VolumeState
    private let file: HealthFile
    private let pace: Pace
    private let logger: Logger

    init(_ state: VolumeState, pace: Pace = Pace(), logger: Logger) throws(SystemError) {
        self.state = state
        self.pace = pace
        self.logger = logger
        file = try HealthFile(runtime: state.settings.runtimeDirectory)
    }

    // MARK: From memory

    /// What is known of a volume.
    func health(of record: VolumeRecord) -> VolumeHealth {
        var health = VolumeHealth()
        health.server = state.servers.state(of: record.definition.options.source).map(VolumeHealth.Server.init)
        guard let mount = record.mount else { return health }
        let place = state.table.place(of: record.definition.name)
        memory.withLock { memory in
            health.activity = memory.activity[place]
            health.usage = memory.measurements[mount.device].map(\.usage).flatMap { $0 == VolumeHealth.Usage() ? nil : $0 }
        }
        return health
    }

    // MARK: Looking

    /// How often it is seen whether the last threads have ended.
    private static let endPause = Duration.milliseconds(10)

    /// Looks again and again until the cancellation, the first time after a pause. All that it has begun has ended when it returns.
    func run(until ending: Cancellation) async {
        try? await BlockingThread.run(named: "health") { [self] in follow(until: ending) }
    }

    private func follow(until ending: Cancellation) {
        var pause = pace.interval
        while ending.sleep(for: pause) {
            let start = ContinuousClock.now
            look()
            // Of a host with very many mounts, at most a twentieth of a core's time.
            pause = max(pace.interval, (ContinuousClock.now - start) * 20)
            for _ in 0..<takePlaces() { startWorker(until: ending) }
        }
        // What they wait for ends with the cancellation.
        while memory.withLock({ $0.workers > 0 }) { Poll.wait(for: -1, until: Deadline(after: Self.endPause)) }
    }

    private func startWorker(until ending: Cancellation) {
        do throws(SystemError) {
            try BlockingThread.start(named: "health-server") { [self] in work(until: ending) }
        } catch {
            memory.withLock { $0.workers -= 1 }
            logger.debug("servers are asked later: \(error)")
        }
    }

    /// Reads what the kernel has counted, and puts the servers into the queue.
    private func look() {
        let mounted = state.table.records.filter(\.isMounted)
        let wasIdle = memory.withLock { memory in
            defer { memory.isIdle = mounted.isEmpty }
            if mounted.isEmpty { (memory.activity, memory.measurements, memory.told) = ([:], [:], [:]) }
            return memory.isIdle
        }
        if mounted.isEmpty {
            if !wasIdle { write() }
            return
        }
        let activity = (try? state.settings.kind.activity()) ?? [:]
        let places = Set(mounted.map { state.table.place(of: $0.definition.name) })
        let servers = MountedServer.all(of: mounted, in: state.table)
        let devices = Set(mounted.compactMap { $0.mount?.device })
        memory.withLock { memory in
            memory.activity = activity.filter { places.contains($0.key) }
            memory.measurements = memory.measurements.filter { devices.contains($0.key) || $0.value.isUnderWay }
            memory.queue = servers.filter { !memory.asked.contains($0.key) }.shuffled()
        }
        write()
    }

    /// How many more threads are to ask servers.
    private func takePlaces() -> Int {
        memory.withLock { memory in
            let more = max(0, min(pace.width - memory.workers, memory.queue.count))
            memory.workers += more
            return more
        }
    }

    /// Asks servers until none is left in the queue.
    private func work(until ending: Cancellation) {
        while !ending.isCancelled, let server = memory.withLock({ $0.next() }) {
            let isNews = ask(server, ending)
            let isLast = memory.withLock { memory in
                memory.asked.remove(server.key)
                return memory.queue.isEmpty
            }
            if isNews || isLast { write() }
        }
        memory.withLock { $0.workers -= 1 }
    }

    /// - Returns: whether it has begun or ceased to answer.
    private func ask(_ server: MountedServer, _ ending: Cancellation) -> Bool {
        _ = try? state.servers.probe(server.source, until: Deadline(after: pace.probe), cancellation: ending)
        if ending.isCancelled { return false }
        // A name that is not found keeps new mounts waiting, and none that is there.
        let outage = state.servers.state(of: server.key)?.outage.flatMap { $0.code == .nameNotResolved ? nil : $0 }
        let isNews = tell(server, outage)
        for (device, place) in server.superblocks {
            if let outage {
                memory.withLock { $0.measurements[device, default: Measurement()].miss(since: outage.since, untilNext: .zero) }
            } else if !measure(device, at: place, ending) {
                // What holds up one superblock of a server holds up the others.
                break
            }
        }
        return isNews
    }

    /// Says once who waits for a server. That it answers no more or again, and why, is said by ``ServerStates``.
    ///
    /// - Returns: whether there was something to say.
    private func tell(_ server: MountedServer, _ outage: ServerState.Outage?) -> Bool {
        let isNew = memory.withLock { memory in
            defer { memory.told[server.key] = outage?.since }
            return memory.told[server.key] != outage?.since
        }
        guard isNew else { return false }
        let names = server.names(atMost: 20)
        if let outage {
            logger.warning("server \(server.key) has not answered since \(outage.since); these volumes wait: \(names)")
        } else {
            logger.notice("server \(server.key) answers again; these volumes go on: \(names)")
        }
        return true
    }

    // MARK: Room

    /// Finds out how much room a superblock has, if that is due.
    ///
    /// - Returns: false if there was no answer.
    private func measure(_ device: String, at place: FilePath, _ ending: Cancellation) -> Bool {
        let isDue = memory.withLock { memory in
            let measurement = memory.measurements[device] ?? Measurement()
            guard !measurement.isUnderWay, measurement.next <= .now else { return false }
            memory.measurements[device, default: Measurement()].isUnderWay = true
            return true
        }
        // An empty folder would tell the room of this host's own disk.
        guard isDue else { return true }
        guard (try? MountTable.topmost(at: place.string))?.device == device else {
            memory.withLock { $0.measurements[device]?.isUnderWay = false }
            return true
        }
        let sequence = SystemCallSequence()
        sequence.add(SystemCall.nameProcess("\(state.settings.processName)-usage"))
        let buffer = sequence.buffer(FileSystemSpace.statusSize)
        let call = sequence.add(SystemCall.space(of: place.string, into: buffer))
        let end = try? sequence.run(until: Deadline(after: pace.usage), cancellation: ending)
        var space: FileSystemSpace?
        if case .success = sequence.result(of: call) { space = FileSystemSpace(parsing: sequence.bytes(of: buffer, count: buffer.count)) }
        let found = space
        let lifetime = pace.usageLifetime
        memory.withLock { memory in
            memory.measurements[device, default: Measurement()].end(with: found, untilNext: lifetime)
            if case .stuck = end { memory.measurements[device]?.isUnderWay = true }
        }
        if case .stuck(let stuck) = end { waitUntilGone(stuck, device) }
        return found != nil
    }

    private func waitUntilGone(_ stuck: StuckSequence, _ device: String) {
        try? BlockingThread.start(named: "usage-stuck") { [self] in
            stuck.waitUntilGone()
            memory.withLock { $0.measurements[device]?.isUnderWay = false }
        }
    }

    // MARK: For those who only read

    /// One thread at a time; what has changed meanwhile is written by that one.
    private func write() {
        let isFree = memory.withLock { memory in
            defer { (memory.isWriting, memory.hasChanged) = (true, true) }
            return !memory.isWriting
        }
        guard isFree else { return }
        while true {
            let usage: [String: VolumeHealth.Usage]? = memory.withLock { memory in
                guard memory.hasChanged else {
                    memory.isWriting = false
                    return nil
                }
                memory.hasChanged = false
                return memory.measurements.mapValues(\.usage)
            }
            guard let usage else { return }
            let servers = state.servers.all.mapValues(VolumeHealth.Server.init)
            let content = HealthFile.Content(written: timestamp(), seconds: secondsSinceBoot(), servers: servers, usage: usage)
            do throws(SystemError) { try file.write(content) } catch { logger.debug("what is known of servers cannot be stored: \(error)") }
        }
    }
}
