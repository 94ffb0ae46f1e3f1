// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import TestSupport

/// A system call at which something can go wrong.
struct InjectionPoint: Sendable, Hashable, CustomStringConvertible {
    var call: String
    var thread: String

    var description: String { "\(call) of \(thread)" }
}

/// The program fault-injector at work on a process; Tests/FaultInjector/main.c says what it does.
final class FaultInjector: Sendable {
    enum Action: Sendable, Hashable, CustomStringConvertible {
        /// Nothing: the calls are counted.
        case count
        /// The daemon is killed.
        case kill
        /// The process that makes the call is killed, the daemon or one that mounts for it.
        case killCaller
        case fail(Int32)

        var word: String {
            switch self {
            case .count, .kill: "kill"
            case .killCaller: "kill-self"
            case .fail(let error): String(error)
            }
        }

        var description: String {
            switch self {
            case .count: "nothing"
            case .kill: "SIGKILL to the daemon"
            case .killCaller: "SIGKILL to its caller"
            case .fail(let error): String(cString: strerror(error))
            }
        }
    }

    private let process: SpawnedProcess
    private let connection: Int32

    static var program: String { Programs.folder + "/fault-injector" }

    private init(_ words: [String], log: String) throws {
        var pair: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else { throw Trouble("socketpair") }
        connection = pair[1]
        defer { close(pair[0]) }
        process = try SpawnedProcess(words, input: pair[0], log: log)
    }

    /// Attaches to a process that runs.
    ///
    /// - Parameters:
    ///   - calls: those that are counted, as fault-injector takes them.
    ///   - place: the call at which the action happens, from 1.
    static func attach(to process: pid_t, calls: String, at place: Int, _ action: Action, log: String) async throws -> FaultInjector {
        let injector = try FaultInjector(
            [program, "attach", String(process), calls, String(action == .count ? 0 : place), action.word], log: log)
        guard try await injector.lines(until: "ready") else {
            throw Trouble("fault-injector cannot attach to process \(process), see \(log)")
        }
        return injector
    }

    /// The words that start a program under the injector; the parameters are those of ``attach(to:calls:at:_:log:)``.
    static func start(_ words: [String], calls: String, at place: Int, _ action: Action) -> [String] {
        [program, "run", calls, String(action == .count ? 0 : place), action.word] + words
    }

    private func lines(until last: String) async throws -> Bool {
        try await blocking { [self] in Self.read(connection, within: 20_000) { $0 == last } != nil }
    }

    /// Ends the tracing a moment after the traced work is done.
    ///
    /// - Returns: the points that were counted, or the one that was hit.
    func end() async throws -> [InjectionPoint] {
        let points = try await blocking { [self] in
            var points: [InjectionPoint] = []
            _ = Self.read(connection, within: 40) { line in
                let words = line.split(separator: " ").map(String.init)
                if words.count == 3 { points.append(InjectionPoint(call: words[1], thread: words[2])) }
                return words.first == "gone"
            }
            return points
        }
        close(connection)
        try await process.end(within: .seconds(20))
        return points
    }

    /// Reads lines until one is the last, none comes for so many milliseconds, or the end.
    ///
    /// - Returns: the last one, if it came.
    private static func read(_ descriptor: Int32, within limit: Int32, _ isLast: (String) -> Bool) -> String? {
        var rest: [UInt8] = []
        var waits = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&waits, 1, limit) > 0 {
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 { return nil }
            rest += buffer[..<count]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: rest[..<end], as: UTF8.self)
                rest.removeSubrange(...end)
                if isLast(line) { return line }
            }
        }
        return nil
    }
}

enum Programs {
    /// Where the build puts programs, and the tests.
    static let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    /// The program under test.
    static var daemon: String { ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_BINARY"] ?? folder + "/docker-nfsd" }
}
