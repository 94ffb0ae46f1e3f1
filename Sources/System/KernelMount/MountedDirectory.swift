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
        creation.apply(to: open(in: changing), operand: place, in: changing)
        try run(changing)
        return true
    }

    private func open(in sequence: SystemCallSequence) -> SystemCallSequence.Call {
        sequence.add(.nameProcess("\(program)-mount"))
        return sequence.add(.openForReading(sequence.add(.openDirectory(place, operand: place)), operand: place))
    }

    private func run(_ sequence: SystemCallSequence) throws(SystemError) {
        switch try sequence.run(until: deadline) {
        case .finished: if let failure = sequence.failure { throw failure.error }
        case .killed, .stuck: throw SystemError(sequence.interruptedCall ?? "open", .timedOut, on: place)
        }
    }
}
