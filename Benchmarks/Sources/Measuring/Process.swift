// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// Why the benchmarks cannot go on.
package struct BenchmarkError: Error, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// A program that this one has started.
package struct Process {
    package let id: pid_t
    package let program: String

    /// - Parameters:
    ///   - environment: added to this program's own.
    ///   - output: where its standard output and errors go; nil leaves them where this program's go.
    package init(_ program: String, _ arguments: [String], environment: [String: String] = [:], output: CInt? = nil, errors: CInt? = nil)
        throws
    {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let output { posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) }
        if let errors { posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO) }
        // What this program blocks is no business of what it starts.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words = Process.environment.merging(environment) { _, new in new }.map { strdup("\($0)=\($1)") } + [nil]
        var list = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words + list { free(word) } }
        var child: pid_t = 0
        let failure = posix_spawnp(&child, program, &actions, &attributes, &list, &words)
        if failure != 0 { throw BenchmarkError("cannot start \(program): \(String(cString: strerror(failure)))") }
        id = child
        self.program = program
    }

    package static var environment: [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let word = entry.pointee {
            let parts = String(cString: word).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { result[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return result
    }

    /// - Returns: the exit status, or 128 and the number of the signal that ended it.
    @discardableResult
    package func wait() -> CInt {
        var status: CInt = 0
        while waitpid(id, &status, 0) < 0 && errno == EINTR {}
        return Self.exitStatus(status)
    }

    package static func exitStatus(_ status: CInt) -> CInt {
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    /// Asks it to end; kills it when it has not within ten seconds.
    package func stop() throws {
        kill(id, SIGTERM)
        var status: CInt = 0
        for _ in 0..<1000 {
            if waitpid(id, &status, WNOHANG) == id { return }
            usleep(10_000)
        }
        kill(id, SIGKILL)
        waitpid(id, &status, 0)
        throw BenchmarkError("\(program) did not end within 10 s of SIGTERM")
    }

    /// What it has used of the processors so far, its ended threads included.
    package var processorNanoseconds: Double {
        get throws {
            var clock = clockid_t()
            var time = timespec()
            guard clock_getcpuclockid(id, &clock) == 0, clock_gettime(clock, &time) == 0 else {
                throw BenchmarkError("\(program) has ended")
            }
            return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
        }
    }

    /// What it holds in memory.
    package var residentBytes: Double { get throws { try memory("Rss", of: id) } }
}

/// What a process holds in memory, in bytes. Not VmRSS of its status: that is counted per processor and can be hundreds of KB off.
///
/// - Parameter kind: `Rss`, or `Pss`, which counts what is shared by several processes in parts.
package func memory(_ kind: String, of process: pid_t) throws -> Double {
    for line in try readFile("/proc/\(process)/smaps_rollup").split(separator: "\n") where line.hasPrefix(kind + ":") {
        if let count = line.split(separator: " ").dropFirst().first.flatMap({ Double($0) }) { return count * 1024 }
    }
    throw BenchmarkError("process \(process) has ended")
}

/// Runs a program to its end.
///
/// - Returns: what it wrote to its standard output.
/// - Throws: `BenchmarkError` if it fails; it has said why on the standard error that it shares with this program.
@discardableResult
package func run(_ program: String, _ arguments: [String], environment: [String: String] = [:], errors: CInt? = nil) throws -> String {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { throw BenchmarkError("pipe: \(lastError())") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    let process: Process
    do {
        defer { close(ends[1]) }
        process = try Process(program, arguments, environment: environment, output: ends[1], errors: errors)
    }
    let output = readAll(ends[0])
    let status = process.wait()
    if status != 0 { throw BenchmarkError("\(([program] + arguments).joined(separator: " ")) failed with status \(status)") }
    return output
}

package func readFile(_ path: String) throws -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw BenchmarkError("cannot read \(path): \(lastError())") }
    defer { close(descriptor) }
    return readAll(descriptor)
}

private func readAll(_ descriptor: CInt) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes.append(contentsOf: buffer[..<count])
    }
}

/// Replaces a file's content.
package func writeFile(_ path: String, _ text: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw BenchmarkError("cannot write \(path): \(lastError())") }
    defer { close(descriptor) }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 { throw BenchmarkError("cannot write \(path): \(lastError())") }
        rest = rest.dropFirst(count)
    }
}

package func makeFolder(_ path: String) throws {
    if mkdir(path, 0o755) < 0 && errno != EEXIST { throw BenchmarkError("mkdir \(path): \(lastError())") }
}

package func monotonicNanoseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}
