// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem
import SystemPackage

extension Mounter {
    /// Makes calls in a file system that is mounted for them alone and attached nowhere: nothing of it is seen on this host, and it
    /// ends with the process that makes the calls. Blocks.
    ///
    /// Where only mount(2) is to be had, it is in the staging folder until it is open.
    ///
    /// - Parameters:
    ///   - limit: if this is earlier than the mounter's own limit.
    ///   - prepare: adds the calls to the sequence; the second argument is a descriptor of the root. It is called once
    ///     for each attempt, and its calls are only made in the one that succeeds.
    /// - Returns: the sequence after its run, and what `prepare` returned for it. Whether the calls succeeded is for the caller to see.
    /// - Throws: `StorageError` if it cannot be mounted, or the calls did not end in time: they may then have been made.
    public func withUnattachedMount<Work>(
        of source: any FileSystemSource, for purpose: MountPurpose, until limit: Deadline? = nil, cancellation: Cancellation? = nil,
        _ prepare: (SystemCallSequence, SystemCallSequence.Call) -> Work
    ) throws(StorageError) -> (calls: SystemCallSequence, work: Work) {
        let began = ContinuousClock.now
        let deadline = deadline(began, limit)
        let request = MountRequest(source, for: purpose, at: MountDestination(""))
        return try ServerAttempt(at: source, deadline, cancellation, mayWait: false, limits).pass(gate) { limit throws(StorageError) in
            var done: (calls: SystemCallSequence, work: Work)?
            try negotiate(request, began: began, limit, cancellation) { plan throws(AttemptFailure) in
                done = try watched(plan) { watch throws(AttemptFailure) in
                    try self.attempt(plan, limit, cancellation, watch, prepare)
                }
            }
            guard let done else { throw StorageError.mounting(source.text, .other, "no calls were made") }
            return done
        }
    }

    private func attempt<Work>(
        _ plan: MountPlan, _ deadline: Deadline, _ cancellation: Cancellation?, _ watch: SequenceWatch?,
        _ prepare: (SystemCallSequence, SystemCallSequence.Call) -> Work
    ) throws(AttemptFailure) -> (calls: SystemCallSequence, work: Work)? {
        var work: Work?
        if method == .fsopen || (method == .automatic && plan.fitsFSConfig) {
            let sequence = MountSequence.fsopen(plan, program: program) { work = prepare($0, $1) }
            do throws(AttemptFailure) {
                try sequence.run(until: deadline, cancellation: cancellation, watch: watch)
                return work.map { (sequence.sequence, $0) }
            } catch {
                guard method == .automatic, sequence.lacksFSOpen(error) else { throw error }
            }
        }
        let data: String
        do throws(AttemptFailure) { data = try dataString(of: plan) } catch { throw AttemptFailure(.local, error.error) }
        let staging = stagingFolder.appending("export-\(UInt64.random(in: 0 ... .max))")
        try makeStaging(staging)
        defer { try? removeEmptyFolder(staging) }
        let sequence = MountSequence.mount(plan, data: data, staging: staging.string, program: program) { work = prepare($0, $1) }
        do throws(AttemptFailure) { try sequence.run(until: deadline, cancellation: cancellation, watch: watch) } catch {
            if error.end != nil, error.stuck == nil { _ = try? unmount(staging.string) }
            throw error
        }
        return work.map { (sequence.sequence, $0) }
    }
}
