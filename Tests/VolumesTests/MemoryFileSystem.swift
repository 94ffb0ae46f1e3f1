// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Synchronization
import SystemPackage

/// A kind of file system made up for these tests: a volume names a `pool`, and gets a tmpfs of its own with the pool's name as source.
struct MemoryFileSystem: FileSystemKind {
    /// What the servers of the pools do; nil: they answer.
    var servers: PoolServers?

    var optionNames: [String] { ["pool", "size"] }
    var otherOptionNames: [String] { [] }
    func isMountOption(_ name: String) -> Bool { name == "noexec" }
    func namesServer(_ options: [String: String]) -> Bool { options["pool"] != nil }
    func owns(_ entry: MountTableEntry) -> Bool { entry.fileSystem == "tmpfs" && entry.source.hasPrefix("pool:") }
    func connection(of entry: MountTableEntry) -> [String: String] { ["pool": String(entry.source.dropFirst("pool:".count))] }
    func checkHost() -> [HostFinding] { [] }

    func source(_ options: [String: String]) throws(StorageError) -> any FileSystemSource {
        guard let pool = options["pool"] else { throw StorageError(.badOption, "option pool is missing; give the name of a pool") }
        return Pool(name: pool, size: options["size"], kind: self)
    }
}

/// The servers of pools, each with its manners.
final class PoolServers: Sendable {
    enum Manners: Sendable, Equatable {
        case answers
        /// Fails at once with this code.
        case fails(StorageError.Code)
        /// Waits for ``letGo()`` or the deadline, then fails as a server without an answer.
        case hangs
    }

    private struct State {
        var manners: [String: Manners] = [:]
        var calls: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let release: Cancellation

    init() throws { release = try Cancellation() }

    func set(_ server: String, _ manners: Manners) { state.withLock { $0.manners[server] = manners } }

    /// Ends all that hangs, now and later.
    func letGo() { release.cancel() }

    /// How often a server was contacted.
    func calls(_ server: String) -> Int { state.withLock { $0.calls[server] ?? 0 } }

    fileprivate func contact(
        _ server: String, _ source: String, _ deadline: Deadline, _ cancellation: Cancellation?
    ) throws(StorageError) {
        let manners = state.withLock { state in
            state.calls[server, default: 0] += 1
            return state.manners[server] ?? .answers
        }
        switch manners {
        case .answers: return
        case .fails(let code): throw .mounting(source, code, "\(server) fails", mayPass: true)
        case .hangs:
            var poll = Poll()
            poll.add(release.descriptor.rawValue)
            poll.add(cancellation?.descriptor.rawValue)
            poll.wait(until: deadline)
            if cancellation?.isCancelled == true { throw .mounting(source, .cancelled, "gone") }
            throw .mounting(source, .silent, "\(server) is silent", mayPass: true)
        }
    }
}

private struct Pool: FileSystemSource {
    let name: String
    let size: String?

    let memory: MemoryFileSystem

    init(name: String, size: String?, kind: MemoryFileSystem) { (self.name, self.size, memory) = (name, size, kind) }

    var kind: any FileSystemKind { memory }
    var text: String { "pool:\(name)" }
    var location: SourceLocation { SourceLocation(server: "memory", components: [name]) }
    var canonical: [String: String] { ["pool": name, "size": size].compactMapValues { $0 } }
    func retryPeriod(for purpose: MountPurpose) -> Duration? { nil }
    func validate(for purpose: MountPurpose) throws(StorageError) {}
    /// `disk@host` is a pool of that host.
    var serverKey: String { name.split(separator: "@").last.map(String.init) ?? name }
    func probe(until deadline: Deadline, cancellation: Cancellation?) throws(StorageError) -> Bool {
        try memory.servers?.contact(serverKey, text, deadline, cancellation)
        return true
    }
    func definedByOthers() -> any FileSystemSource { self }
    func checkServer() -> (findings: [HostFinding], isWorthAMount: Bool) { ([], true) }

    func negotiation(
        for purpose: MountPurpose, until deadline: Deadline, cancellation: Cancellation?
    ) throws(StorageError) -> any MountNegotiation {
        try memory.servers?.contact(serverKey, text, deadline, cancellation)
        return Negotiation(
            server: name,
            plans: [
                MountPlan(
                    fileSystem: "tmpfs", source: text, options: size.map { [MountOption("size", $0)] } ?? [], generic: GenericMountOptions()
                )
            ])
    }

    private struct Negotiation: MountNegotiation {
        let server: String
        let plans: [MountPlan]

        func step(after failure: AttemptFailure, of plan: Int) -> NegotiationStep { .end(failure) }

        func explanation(of failure: AttemptFailure, waited: Duration) -> FailureExplanation {
            FailureExplanation(.badOption, "pool \(server) cannot be had: \(failure.error)\(failure.kernelSaid)")
        }
    }
}
