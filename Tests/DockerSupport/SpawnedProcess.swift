// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
public import Glibc
import Synchronization
import TestSupport

/// A process that runs beside the test, until it ends by itself or is signalled.
public final class SpawnedProcess: Sendable {
    /// Its number in this process's namespace.
    public let id: pid_t
    public let name: String
    /// As wait(2) tells it; nil while it runs.
    private let status = Mutex<Int32?>(nil)

    /// - Parameters:
    ///   - input: what becomes its standard input; nothing else is inherited.
    ///   - log: the file to which its output is appended.
    public init(_ words: [String], environment: [String: String] = [:], input: Int32? = nil, log: String) throws {
        name = words.first { !$0.hasPrefix("-") } ?? "process"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Foundation's pipes are inherited, and whoever reads one waits until every copy of its other end is closed.
        for descriptor in 3..<1024 as Range<Int32> { posix_spawn_file_actions_addclose(&actions, descriptor) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // What this process does with signals is not the daemons' affair.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0.key)=\($0.value)" }
        var arguments = words.map { strdup($0) } + [nil]
        var entries = variables.map { strdup($0) } + [nil]
        defer { for text in arguments + entries { free(text) } }
        var id: pid_t = 0
        let code = posix_spawnp(&id, words[0], &actions, &attributes, &arguments, &entries)
        guard code == 0 else { throw Trouble("\(words[0]) cannot be started: \(String(cString: strerror(code)))") }
        self.id = id
        Thread.detachNewThread { [self] in reap() }
    }

    private func reap() {
        var information = siginfo_t()
        // The number stays taken until it is reaped, and so `signal` cannot hit another process.
        while waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        status.withLock { status in
            var raw: Int32 = 0
            waitpid(id, &raw, 0)
            status = raw
        }
    }

    public var hasEnded: Bool { status.withLock { $0 != nil } }

    /// Does nothing if it has ended.
    public func signal(_ number: Int32) { status.withLock { if $0 == nil { kill(id, number) } } }

    /// Waits for its end.
    ///
    /// - Returns: its exit status, or 128 and the signal's number, as a shell tells it.
    @discardableResult
    public func end(within limit: Duration) async throws -> Int32 {
        try await eventually("\(name) (process \(id)) ends", within: limit) { hasEnded }
        let raw = status.withLock { $0! }
        return raw & 0x7f == 0 ? (raw >> 8) & 0xff : 128 + raw & 0x7f
    }

    /// Its only child, once it has one that runs another program.
    public func child(running program: String) async throws -> pid_t {
        var found: pid_t?
        try await eventually("\(name) starts \(program)", within: .seconds(10)) {
            let list = try readProcess("/proc/\(id)/task/\(id)/children")
            guard let child = pid_t(list.trimmingCharacters(in: .whitespacesAndNewlines)) else { return false }
            let command = try readProcess("/proc/\(child)/comm")
            if command.trimmingCharacters(in: .newlines) == program { found = child }
            return found != nil
        }
        return found!
    }
}
