// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem
import SystemPackage

extension NFSMounter {
    /// Makes calls in an export that is mounted for them alone and attached nowhere: nothing of it is seen on this host, and it
    /// ends with the process that makes the calls. Blocks.
    ///
    /// Where only mount(2) is to be had, the export lies in the staging folder until it is open.
    ///
    /// - Parameters:
    ///   - request: its subdirectory and target are not used.
    ///   - limit: if this is earlier than the mounter's own limit.
    ///   - prepare: adds the calls to the sequence; the second argument is a descriptor of the export's root. It is called once
    ///     for each attempt, and its calls are only made in the one that succeeds.
    /// - Returns: the sequence after its run, and what `prepare` returned for it. Whether the calls succeeded is for the caller to see.
    /// - Throws: `NFSMountError` if the export cannot be mounted, or the calls did not end in time: they may then have been made.
    public func inExport<Work>(
        _ request: NFSMountRequest, until limit: Deadline? = nil, cancellation: Cancellation? = nil,
        _ prepare: (SystemCallSequence, SystemCallSequence.Call) -> Work
    ) throws(NFSMountError) -> (calls: SystemCallSequence, work: Work) {
        let began = ContinuousClock.now
        var deadline = Deadline(began + limits.mount)
        if let limit { deadline = deadline.earlier(limit) }
        var done: (calls: SystemCallSequence, work: Work)?
        _ = try negotiate(request, began: began, deadline: deadline, cancellation: cancellation) { parameters in
            var work: Work?
            let (sequence, failure) = attempt(parameters, deadline, cancellation) { work = prepare($0, $1) }
            if failure == nil, let work { done = (sequence, work) }
            return failure
        }
        guard let done else { throw NFSMountError(.other, "cannot mount \(request.source): no calls were made") }
        return done
    }

    private func attempt(
        _ parameters: KernelParameters, _ deadline: Deadline, _ cancellation: Cancellation?,
        _ prepare: (SystemCallSequence, SystemCallSequence.Call) -> Void
    ) -> (SystemCallSequence, AttemptFailure?) {
        if method == .fsopen || (method == .automatic && parameters.fitsFSConfig) {
            let sequence = MountSequence.fsopen(parameters, prepare)
            let failure = sequence.run(until: deadline, cancellation: cancellation)
            guard let failure, method == .automatic, sequence.lacksFSOpen(failure) else { return (sequence.sequence, failure) }
        }
        let staging = stagingFolder.appending("export-\(UInt64.random(in: 0 ... .max))")
        do throws(SystemError) {
            guard let data = parameters.dataString else {
                throw SystemError("mount", .invalidArgument, on: "a value with a comma, which this kernel's mount(2) cannot be given")
            }
            try makeFolders(stagingFolder, mode: 0o700)
            try makeFolder(staging, mode: 0o700)
            let sequence = MountSequence.mount(parameters, data: data, staging: staging.string, prepare)
            let failure = sequence.run(until: deadline, cancellation: cancellation)
            if failure?.end != nil, failure?.stuck == nil { _ = try? unmount(staging.string) }
            try? removeEmptyFolder(staging)
            return (sequence.sequence, failure)
        } catch {
            return (SystemCallSequence(), AttemptFailure(.local, error))
        }
    }
}
