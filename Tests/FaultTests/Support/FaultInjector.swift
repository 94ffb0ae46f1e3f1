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
        /// The daemon is killed, and the call of a process that works for it is made when the daemon is gone.
        case orphan
        case fail(Int32)

        var word: String {
            switch self {
            case .count, .kill: "kill"
            case .killCaller: "kill-self"
            case .orphan: "orphan"
            case .fail(let error): String(error)
            }
        }

        var description: String {
            switch self {
            case .count: "nothing"
            case .kill: "SIGKILL to the daemon"
            case .killCaller: "SIGKILL to its caller"
            case .orphan: "SIGKILL to the daemon before it"
            case .fail(let error): String(cString: strerror(error))
            }
        }
    }

    private let process: SpawnedProcess
    private let connection: Int32

    static var program: String { Programs.folder + "/fault-injector" }

    /// - Parameter start: starts the program, with this as its standard input.
    private init(_ start: (_ input: Int32) throws -> SpawnedProcess) throws {
        var pair: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else { throw Trouble("socketpair") }
        connection = pair[1]
        defer { close(pair[0]) }
        process = try start(pair[0])
    }

    /// Attaches to a process that runs.
    ///
    /// - Parameters:
    ///   - calls: those that are counted, as fault-injector takes them.
    ///   - place: the call at which the action happens, from 1.
    static func attach(to process: pid_t, calls: String, at place: Int, _ action: Action, log: String) async throws -> FaultInjector {
        let words = [program, "attach", String(process)] + Self.words(calls, place, action)
        let injector = try FaultInjector { try SpawnedProcess(words, input: $0, log: log) }
        guard try await injector.isReady() else { throw Trouble("fault-injector cannot attach to process \(process), see \(log)") }
        return injector
    }

    /// Starts a program on a host; the parameters are those of ``attach(to:calls:at:_:log:)``.
    static func start(
        _ words: [String], on host: PrivateHost, environment: [String: String], calls: String, at place: Int, _ action: Action, log: String
    ) async throws -> FaultInjector {
        let words = [program, "run"] + Self.words(calls, place, action) + words
        let injector = try FaultInjector { try host.start(words, environment: environment, input: $0, log: log) }
        guard try await injector.isReady() else { throw Trouble("fault-injector cannot start \(words), see \(log)") }
        return injector
    }

    private static func words(_ calls: String, _ place: Int, _ action: Action) -> [String] {
        [calls, String(action == .count ? 0 : place), action.word]
    }

    private func isReady() async throws -> Bool {
        try await blocking { [self] in Self.read(connection, within: 20_000) { $0 == "ready" } != nil }
    }

    /// Waits until the program has ended, or made no call for so many milliseconds that is counted.
    ///
    /// - Returns: the points that were counted, or the one that was hit.
    func points(quiet: Int32) async throws -> [InjectionPoint] {
        try await blocking { [self] in
            var points: [InjectionPoint] = []
            _ = Self.read(connection, within: quiet) { line in
                let words = line.split(separator: " ").map(String.init)
                if words.count == 3 { points.append(InjectionPoint(call: words[1], thread: words[2])) }
                return words.first == "gone"
            }
            return points
        }
    }

    /// Ends the tracing. If the injector has started the program, this waits for that one's end.
    func end() async throws {
        close(connection)
        try await process.end(within: .seconds(20))
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
