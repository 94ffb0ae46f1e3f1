// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import HistoryChecker
import Synchronization
import TestSupport

/// Clients that append lines to files under locks, while something breaks what is below them.
public final class LockRun: Sendable {
    /// A file as a node sees it.
    public struct Place: Sendable {
        public var node: String
        /// Of the lock; the same for all nodes.
        public var name: String
        public var path: String

        public init(node: String, name: String, path: String) { (self.node, self.name, self.path) = (node, name, path) }
    }

    private let places: [Place]
    private let seed: Int
    private let nemesis: Nemesis
    private let history = Mutex(History())
    private let isOver = Atomic(false)
    private let start = ContinuousClock.now

    public init(places: [Place], seed: Int, nemesis: @escaping Nemesis) { (self.places, self.seed, self.nemesis) = (places, seed, nemesis) }

    private var now: Int { microseconds(since: start) }

    /// - Parameters:
    ///   - writers: of each place.
    ///   - faults: they come one after another, and the writers go on until the last is over.
    public func history(writers: Int = 2, faults: Int) async throws -> History {
        try await withThrowingTaskGroup { group in
            for (number, place) in places.enumerated() {
                for writer in 0..<writers {
                    group.addTask { [self] in try await blocking { self.write(client: number * writers + writer, at: place) } }
                }
            }
            group.addTask { [self] in
                defer { isOver.store(true, ordering: .sequentiallyConsistent) }
                try await breakThings(faults)
            }
            try await group.waitForAll()
        }
        for (number, place) in places.enumerated() { try await blocking { try self.read(client: 100 + number, at: place) } }
        return history.withLock { $0 }
    }

    private func note(
        _ kind: RecordedOperation.Kind, _ client: Int, _ place: Place, value: String? = nil, seen: [String]? = nil, began: Int,
        _ outcome: RecordedOperation.Outcome
    ) {
        let operation = RecordedOperation(
            client: client, node: place.node, kind, place.name, value: value, seen: seen, began: began, ended: now, outcome)
        history.withLock { $0.operations.append(operation) }
    }

    private func write(client: Int, at place: Place) {
        var number = 0
        while !isOver.load(ordering: .sequentiallyConsistent) {
            defer { number += 1 }
            // What is told to fail is tried again, with another line.
            let file = open(place.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
            guard file >= 0 else {
                usleep(50_000)
                continue
            }
            // Ends the lock, too.
            defer { close(file) }
            let asked = now
            let isHeld = flock(file, LOCK_EX) == 0
            note(.acquire, client, place, began: asked, isHeld ? .ok : .unknown)
            guard isHeld else { continue }
            let line = "\(client)-\(number)"
            let began = now
            let text = Array((line + "\n").utf8)
            let isWritten = Glibc.write(file, text, text.count) == text.count && fsync(file) == 0
            note(.append, client, place, value: line, began: began, isWritten ? .ok : .unknown)
            let released = now
            let isReleased = flock(file, LOCK_UN) == 0
            note(.release, client, place, began: released, isReleased ? .ok : .unknown)
        }
    }

    private func read(client: Int, at place: Place) throws {
        let began = now
        let file = open(place.path, O_RDONLY | O_CLOEXEC)
        guard file >= 0, flock(file, LOCK_SH) == 0 else { throw Trouble("\(place.path): errno \(errno)") }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            guard count >= 0 else { throw Trouble("read \(place.path): errno \(errno)") }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        note(.read, client, place, seen: lines, began: began, .ok)
    }

    private func breakThings(_ count: Int) async throws {
        var random = SeededNumbers(seed: seed)
        for number in 0..<count {
            try await Task.sleep(for: .milliseconds(Int.random(in: 500...2000, using: &random)))
            let began = now
            let text = try await nemesis(number, &random)
            let ended = now
            history.withLock { $0.disturbances.append(Disturbance(text, began: began, ended: ended)) }
        }
        // So that something is appended after the last one, too.
        try await Task.sleep(for: .seconds(2))
    }
}
