// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import LinuxSystem
public import SystemPackage

/// What is to be mounted, and where.
public struct MountRequest: Sendable {
    public var source: any FileSystemSource
    public var purpose: MountPurpose
    public var destination: MountDestination
    /// Whether the caller has time to wait for a server that comes back, and tries again by itself.
    public var mayWait = false

    public init(_ source: any FileSystemSource, for purpose: MountPurpose = .volume, at destination: MountDestination) {
        self.source = source
        self.purpose = purpose
        self.destination = destination
    }
}

/// How long the kernel's part of mounting may take. The sum stays below the 120 s that Docker allows for a mount.
public struct MountLimits: Sendable, Equatable {
    /// Everything together, finding the server included.
    public var mount = Duration.seconds(100)
    /// Each step of unmounting.
    public var unmount = Duration.seconds(5)

    public init() {}
}

/// Mounts and unmounts by the kernel's own calls, each made by a process that can be killed. Blocks: for threads of their own only.
public struct Mounter: Sendable {
    public let limits: MountLimits
    public let method: MountMethod
    /// Where file systems are mounted for a moment when only mount(2) is to be had and a subdirectory is wanted.
    public let stagingFolder: FilePath
    /// What the processes are called in ps(1), before `-mount` and the like.
    public let program: String
    /// Decides which attempts are made; nil: all.
    public let gate: (any ServerGate)?
    private let underWay = AttemptsUnderWay()

    public init(
        limits: MountLimits = .init(), method: MountMethod = .automatic, stagingFolder: FilePath, program: String,
        gate: (any ServerGate)? = nil
    ) {
        self.limits = limits
        self.method = method
        self.stagingFolder = stagingFolder
        self.program = program
        self.gate = gate
    }

    /// Resolves, probes, negotiates, mounts, and looks in the mount table before it says so. Once: to try again is for the caller.
    ///
    /// - Parameter limit: if this is earlier than the mounter's own limit.
    /// - Returns: the mount table's entry.
    /// - Throws: `StorageError`; nothing is mounted then, unless its `stuck` is set.
    public func mount(
        _ request: MountRequest, until limit: Deadline? = nil, cancellation: Cancellation? = nil
    ) throws(StorageError) -> MountTableEntry {
        let began = ContinuousClock.now
        let period = request.source.retryPeriod(for: request.purpose)
        var deadline = deadline(began, limit)
        // retry=0 is one attempt, which has as long as retry=1.
        if let period { deadline = deadline.earlier(Deadline(began + max(period, .seconds(60)))) }
        let attempt = ServerAttempt(at: request.source, deadline, cancellation, mayWait: request.mayWait, limits)
        return try attempt.pass(gate) { limit throws(StorageError) in
            try negotiate(request, began: began, limit, cancellation) { plan throws(AttemptFailure) in
                try self.attempt(plan, request.destination, limit, cancellation)
            }
            return try verifiedEntry(of: request)
        }
    }

    func deadline(_ began: ContinuousClock.Instant, _ limit: Deadline?) -> Deadline {
        let own = Deadline(began + limits.mount)
        return limit.map(own.earlier) ?? own
    }

    /// Makes attempts in the order of the source's plans until one succeeds or none is left.
    ///
    /// - Parameter attempt: carries out one plan.
    func negotiate(
        _ request: MountRequest, began: ContinuousClock.Instant, _ deadline: Deadline, _ cancellation: Cancellation?,
        _ attempt: (MountPlan) throws(AttemptFailure) -> Void
    ) throws(StorageError) {
        let source = request.source
        var negotiation = try source.negotiation(for: request.purpose, until: deadline, cancellation: cancellation)
        let plans = negotiation.plans
        var index = 0
        while plans.indices.contains(index) {
            do throws(AttemptFailure) {
                if let obstacle = negotiation.obstacle(to: index) { throw obstacle }
                return try attempt(plans[index])
            } catch {
                switch negotiation.step(after: error, of: index) {
                case .plan(let next): index = next
                case .end(let failure):
                    let explanation = FailureExplanation(
                        of: failure, by: negotiation, subdirectory: request.destination.subdirectory,
                        waited: ContinuousClock.now - began)
                    throw StorageError.mounting(
                        source.text, explanation.code, explanation.reason, cause: failure.error,
                        mayPass: failure.end == .unwanted || failure.wasHeldUp || (failure.end == nil && failure.error.errno.mayPass),
                        stuck: failure.stuck.map(StuckProcess.init))
                }
            }
        }
        throw StorageError.mounting(source.text, .other, "there was no address or version to try")
    }

    private func attempt(
        _ plan: MountPlan, _ destination: MountDestination, _ deadline: Deadline, _ cancellation: Cancellation?
    ) throws(AttemptFailure) {
        try watched(plan) { watch throws(AttemptFailure) in try attempt(plan, destination, deadline, cancellation, watch) }
    }

    /// Runs an attempt, which the watch ends if it is in the way of those at other servers.
    func watched<Value>(
        _ plan: MountPlan, _ attempt: (SequenceWatch?) throws(AttemptFailure) -> Value
    ) throws(AttemptFailure) -> Value {
        try underWay.during(plan.contention, attempt)
    }

    /// One attempt by the chosen method; automatic falls back to mount(2) where fsopen(2) cannot be used.
    private func attempt(
        _ plan: MountPlan, _ destination: MountDestination, _ deadline: Deadline, _ cancellation: Cancellation?, _ watch: SequenceWatch?
    ) throws(AttemptFailure) {
        if method == .fsopen || (method == .automatic && plan.fitsFSConfig) {
            let sequence = MountSequence.fsopen(plan, destination, program: program)
            do throws(AttemptFailure) { return try sequence.run(until: deadline, cancellation: cancellation, watch: watch) } catch {
                guard method == .automatic, sequence.lacksFSOpen(error) else { throw afterKill(error, destination.target) }
            }
        }
        let data = try dataString(of: plan)
        let staging = stagingFolder.appending("mount-\(UInt64.random(in: 0 ... .max))")
        if destination.subdirectory != nil { try makeStaging(staging) }
        defer { if destination.subdirectory != nil { try? removeEmptyFolder(staging) } }
        let sequence = MountSequence.mount(plan, data: data, destination, staging: staging.string, program: program)
        do throws(AttemptFailure) { try sequence.run(until: deadline, cancellation: cancellation, watch: watch) } catch {
            let failure = afterKill(error, destination.target)
            if destination.subdirectory != nil, failure.end != nil { _ = try? unmount(staging.string) }
            throw failure
        }
    }

    func dataString(of plan: MountPlan) throws(AttemptFailure) -> String {
        if let data = plan.dataString { return data }
        throw AttemptFailure(
            .option("o"),
            SystemError("mount", .invalidArgument, on: "a value with a comma, which this kernel's mount(2) cannot be given"))
    }

    func makeStaging(_ folder: FilePath) throws(AttemptFailure) {
        do throws(SystemError) {
            try makeFolders(stagingFolder, mode: 0o700)
            try makeFolder(folder, mode: 0o700)
        } catch {
            throw AttemptFailure(.local, error)
        }
    }

    /// The kill may have come a moment after the mount became visible.
    private func afterKill(_ failure: AttemptFailure, _ target: String) -> AttemptFailure {
        if failure.end != nil, failure.stuck == nil { _ = try? unmount(target) }
        return failure
    }

    /// A container must never write to the local disk because a mount only seemed to succeed.
    private func verifiedEntry(of request: MountRequest) throws(StorageError) -> MountTableEntry {
        let (source, target) = (request.source, request.destination.target)
        do throws(SystemError) {
            if let entry = try MountTable.topmost(at: target), source.kind.owns(entry) { return entry }
        } catch {
            _ = try? unmount(target)
            throw StorageError.mounting(source.text, .other, "the mount table cannot be read: \(error)", cause: error)
        }
        _ = try? unmount(target)
        throw StorageError.mounting(
            source.text, .other,
            "the kernel reported success, but nothing of it is mounted at \(target); look at dmesg and try again")
    }
}
