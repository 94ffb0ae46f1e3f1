// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem
import SystemPackage

/// The root of what is mounted at a place of this host. Each call is made by a process that can be killed.
public struct MountedDirectory: Sendable {
    private let place: String
    private let program: String
    private let deadline: Deadline

    /// - Parameter program: what the processes are called in ps(1), before `-mount`.
    public init(at place: String, program: String, until deadline: Deadline) {
        self.place = place
        self.program = program
        self.deadline = deadline
    }

    /// Gives it the owner and the mode of a new directory, if it is empty.
    ///
    /// - Returns: false if it is not empty; then nothing is changed.
    /// - Throws: `SystemError`; `ETIMEDOUT` if the server did not answer in time.
    public func applyIfEmpty(_ creation: Subdirectory.Creation) throws(SystemError) -> Bool {
        let looking = SystemCallSequence()
        let buffer = looking.buffer(4 << 10)
        let entries = looking.add(.directoryEntries(of: open(in: looking), into: buffer))
        try run(looking)
        guard case .success(let count) = looking.result(of: entries) else { return false }
        guard DirectoryEntries.names(in: looking.bytes(of: buffer, count: count)).isEmpty else { return false }
        let changing = SystemCallSequence()
        let directory = open(in: changing)
        // It may have been unmounted meanwhile, and the folder below is not to be changed. The way up from the root of a mount leaves the
        // mount, and that is the failure after which the changes are made.
        let above = changing.add(.openDirectoryOfSameMount(Array("..".utf8), in: directory, operand: place))
        let changes = creation.apply(to: directory, operand: place, in: changing, options: .onFailure)
        try finish(changing)
        if case .success = changing.result(of: above) {
            throw SystemError("openat2", .invalidArgument, on: place, hint: "nothing is mounted there any more")
        }
        // Before Linux 5.6 nobody can say.
        if let error = changing.error(of: above), error.errno != .improperLink, error.errno != .noFunction { throw error }
        if let error = changing.error(of: directory) ?? changes.lazy.compactMap(changing.error).first { throw error }
        return true
    }

    private func open(in sequence: SystemCallSequence) -> SystemCallSequence.Call {
        sequence.add(.nameProcess("\(program)-mount"))
        return sequence.add(.openForReading(sequence.add(.openDirectory(place, operand: place)), operand: place))
    }

    private func run(_ sequence: SystemCallSequence) throws(SystemError) {
        try finish(sequence)
        if let failure = sequence.failure { throw failure.error }
    }

    private func finish(_ sequence: SystemCallSequence) throws(SystemError) {
        switch try sequence.run(until: deadline) {
        case .finished: break
        case .killed, .stuck: throw SystemError(sequence.interruptedCall ?? "open", .timedOut, on: place)
        }
    }
}
