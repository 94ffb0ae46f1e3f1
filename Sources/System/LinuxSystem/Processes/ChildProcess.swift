// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// How a process ended. wait(2).
public enum ProcessEnd: Sendable, Hashable {
    case exited(Int32)
    case killed(signal: Int32)

    /// From the status word of wait(2).
    init(_ status: Int32) {
        self = status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: status & 0x7f)
    }

    /// As a shell and every container engine say it: 128 and the signal's number for one that was killed.
    public var exitStatus: Int32 {
        switch self {
        case .exited(let status): status
        case .killed(let signal): 128 + signal
        }
    }
}

/// Processes that this one makes. For programs with a single thread.
public enum ChildProcess {
    /// Forks this process. fork(2).
    ///
    /// - Returns: 0 in the child, the child's id in the parent.
    public static func fork() throws(SystemError) -> Int32 {
        try systemCall("fork", on: "the process") { CLinux_fork() }
    }

    /// What a program gets instead of this process's own input and output.
    public struct Silence: OptionSet, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }
        /// `/dev/null` as standard input.
        public static let input = Silence(rawValue: 1)
        /// `/dev/null` as standard output and standard error.
        public static let output = Silence(rawValue: 2)
    }

    /// Starts a program, with this process's environment, and returns once it runs.
    ///
    /// - Parameters:
    ///   - arguments: with the program's name as the first; ends with nil.
    ///   - diesWithParent: it is killed when this process ends. prctl(2), PR_SET_PDEATHSIG.
    /// - Throws: `SystemError` of execve(2) if it cannot run.
    public static func spawn(
        _ path: String, _ arguments: [UnsafeMutablePointer<CChar>?], diesWithParent: Bool = false, silence: Silence = []
    ) throws(SystemError) -> Int32 {
        try systemCall("execve", on: path) {
            CLinux_spawn(path, arguments, diesWithParent ? SIGKILL : 0, silence.contains(.input) ? 1 : 0, silence.contains(.output) ? 1 : 0)
        }
    }

    /// The same, with arguments as text.
    public static func spawn(_ path: String, _ arguments: [String], silence: Silence = []) throws(SystemError) -> Int32 {
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        return try spawn(path, words, silence: silence)
    }

    /// Becomes another program. execve(2).
    ///
    /// - Parameter arguments: ends with nil.
    /// - Throws: `SystemError` if it fails.
    public static func become(_ path: String, _ arguments: [UnsafeMutablePointer<CChar>?]) throws(SystemError) -> Never {
        execv(path, arguments)
        throw SystemError("execve", .current, on: path)
    }

    /// Blocks until one child has ended. waitpid(2).
    public static func wait(for child: Int32) throws(SystemError) -> ProcessEnd {
        var status: Int32 = 0
        try systemCall("waitpid", on: "process \(child)") { waitpid(child, &status, 0) }
        return ProcessEnd(status)
    }

    /// The same, with a limit.
    ///
    /// - Returns: nil if it still runs at the deadline.
    public static func wait(for child: Int32, until deadline: Deadline) throws(SystemError) -> ProcessEnd? {
        let descriptor = try systemCall("pidfd_open", on: "process \(child)") { CLinux_pidfd_open(child) }
        defer { Glibc.close(descriptor) }
        return Poll.wait(for: descriptor, until: deadline) ? try wait(for: child) : nil
    }

    /// Reaps one child that has ended; nil if none has, or if there are no children.
    public static func reap() -> (process: Int32, end: ProcessEnd)? {
        var status: Int32 = 0
        let process = waitpid(-1, &status, WNOHANG)
        return process > 0 ? (process, ProcessEnd(status)) : nil
    }

    /// Makes this process the new parent of its descendants whose own parents end. prctl(2), PR_SET_CHILD_SUBREAPER.
    public static func becomeSubreaper() throws(SystemError) {
        try systemCall("prctl", on: "PR_SET_CHILD_SUBREAPER") { CLinux_set_child_subreaper() }
    }

    /// Gives back memory that a process which only waits from now on does not need. It comes back by itself where it is used.
    public static func releaseMemory() { CLinux_release_memory() }

    /// Closes every descriptor but these, and puts `/dev/null` in the place of standard input, output and error.
    public static func releaseDescriptors(except kept: [FileDescriptor]) throws(SystemError) {
        let null = try systemCall("open", on: "/dev/null") { open("/dev/null", O_RDWR | O_CLOEXEC) }
        for standard in STDIN_FILENO...STDERR_FILENO { try systemCall("dup2", on: "/dev/null") { dup2(null, standard) } }
        var next = UInt32(STDERR_FILENO) + 1
        for descriptor in kept.map({ UInt32(bitPattern: $0.rawValue) }).sorted() where descriptor >= next {
            if descriptor > next { try systemCall("close_range", on: "descriptors") { CLinux_close_range(next, descriptor - 1) } }
            next = descriptor + 1
        }
        try systemCall("close_range", on: "descriptors") { CLinux_close_range(next, .max) }
    }
}
