// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import Synchronization

/// A driver that does as the volume's name says, and tells what it was asked.
///
/// `held…` waits for ``open()`` whatever happens; `endless…` waits until it is cancelled; `bad…` fails.
final class TestDriver: VolumeDriver {
    let scope = VolumeScope.local
    let events = EventLog()
    /// The mounts whose callers have got the answer.
    let answered = EventLog()
    private let gate = Gate()
    private let volumes: [Volume]
    private let mountsBad: Bool

    /// - Parameter mountsBad: of `bad…`, only unmount fails.
    init(
        volumes: [Volume] = [Volume(name: "v", mountpoint: "/mnt/v", createdAt: "2026-03-01T12:00:00Z", status: ["n": 1])],
        mountsBad: Bool = false
    ) {
        self.volumes = volumes
        self.mountsBad = mountsBad
    }

    /// Lets the held calls go on, those to come as well.
    func open() { gate.open() }

    func get(_ name: String) throws(PluginError) -> Volume {
        guard let volume = volumes.first(where: { $0.name == name }) else { throw PluginError("no volume \(name)") }
        return volume
    }

    func list() -> [Volume] { volumes }
    func path(of name: String) throws(PluginError) -> String { try get(name).mountpoint }
    func activated() { events.add("activated") }

    func create(_ name: String, options: [String: String]) async throws(PluginError) {
        try await run("create \(name) \(options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ","))", name)
    }

    func remove(_ name: String) async throws(PluginError) { try await run("remove \(name)", name) }

    func mount(_ name: String, id: String) async throws(PluginError) -> String {
        try await run("mount \(name) \(id)", name)
        return "/mnt/\(name)"
    }

    func mountAnswered(_ name: String, id: String) async { answered.add("\(name) \(id)") }

    func unmount(_ name: String, id: String) async throws(PluginError) {
        // Not held, so that it can be seen that a held mount is taken back.
        events.add("unmount \(name) \(id)")
        if name.hasPrefix("bad") { throw PluginError("bad \(name)") }
    }

    private func run(_ call: String, _ name: String) async throws(PluginError) {
        events.add(call)
        if name.hasPrefix("held") {
            await withTaskCancellationHandler {
                await gate.wait()
            } onCancel: {
                events.add("cancelled \(call)")
            }
        }
        if name.hasPrefix("endless") {
            try? await Task.sleep(for: .seconds(3600))
            events.add("cancelled \(call)")
            throw PluginError("cancelled")
        }
        if name.hasPrefix("bad") && !mountsBad { throw PluginError("bad \(name)") }
    }
}

/// What happened, and a way to wait for it.
final class EventLog: Sendable {
    fileprivate struct State {
        var events: [String] = []
        var waiters: [(event: String, count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var all: [String] { state.withLock { $0.events } }

    func add(_ event: String) {
        let ready = state.withLock { state in
            state.events.append(event)
            let waiters = state.waiters
            state.waiters = waiters.filter { state.count(of: $0.event) < $0.count }
            return waiters.filter { state.count(of: $0.event) >= $0.count }.map(\.continuation)
        }
        for continuation in ready { continuation.resume() }
    }

    /// Waits until it has happened so often. Without limit: the test has one.
    func wait(for event: String, times count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.count(of: event) >= count { return true }
                state.waiters.append((event, count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}

extension EventLog.State {
    fileprivate func count(of event: String) -> Int { events.count { $0.hasPrefix(event) } }
}

/// Holds tasks up until it is opened.
private final class Gate: Sendable {
    private let waiters = Mutex<[CheckedContinuation<Void, Never>]?>([])

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = waiters.withLock { waiters in
                waiters?.append(continuation)
                return waiters == nil
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        for waiter in waiters.withLock({ $0.take() }) ?? [] { waiter.resume() }
    }
}
