// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import JSON
import LinuxSystem
import SystemPackage
import TestSupport

@testable import MountPointPlugins

/// mountpoint-plugin as a program that is killed at its nth system call of some kinds, or has that call fail.
enum InterruptedProgram {
    private static let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    static let program = folder + "/mountpoint-plugin"

    struct End {
        /// Whether it came to that call.
        var wasInterrupted: Bool
        /// Of the program, if it was not killed.
        var status: Int32
    }

    /// Runs it to its end, or to the kill.
    ///
    /// - Parameters:
    ///   - calls: with commas between them.
    ///   - place: from 1.
    ///   - error: that the call fails with; nil for a kill.
    ///   - body: while it runs.
    static func run(
        _ words: [String], on host: InstanceHost, calls: String, at place: Int, failingWith error: Errno? = nil,
        _ body: (Process) async throws -> Void = { _ in }
    ) async throws -> End {
        var pair: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else { throw Trouble("socketpair") }
        let connection = FileHandle(fileDescriptor: pair[1], closeOnDealloc: true)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: folder + "/fault-injector")
        let action = error.map { String($0.rawValue) } ?? "kill"
        process.arguments = ["run", calls, String(place), action, program] + words + host.flags
        process.standardInput = FileHandle(fileDescriptor: pair[0], closeOnDealloc: false)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        close(pair[0])
        try await body(process)
        return try await blocking {
            process.waitUntilExit()
            let log = String(decoding: (try? connection.readToEnd()) ?? Data(), as: UTF8.self)
            return End(wasInterrupted: log.contains("hit "), status: process.terminationStatus)
        }
    }

    /// Ends a program that was started so.
    static func end(_ process: Process) async throws {
        let injector = process.processIdentifier
        let children = (try? String(contentsOfFile: "/proc/\(injector)/task/\(injector)/children", encoding: .utf8)) ?? ""
        for child in children.split(separator: " ").compactMap({ pid_t($0) }) { kill(child, SIGTERM) }
    }
}

extension InstanceHost {
    var flags: [String] {
        [
            "--socket-directory", places.sockets.string, "--settings-directory", places.settings.string, "--state-directory",
            places.state.string, "--runtime-directory", places.runtime.string, "--docker-directory", places.docker.string,
        ]
    }

    /// Whether somebody takes connections.
    func isServed(_ kind: String) -> Bool { (try? LocalStream(connectingTo: places.sockets.appending(kind + ".sock"))) != nil }

    /// Calls a plugin that a program serves.
    ///
    /// - Returns: the answer; nil if the connection ended without one.
    func call(_ kind: String, _ method: MountPointMethod, _ write: (inout JSONWriter) -> Void) async throws -> String? {
        var writer = JSONWriter()
        write(&writer)
        let body = writer.bytes
        let head = "POST \(method.rawValue) HTTP/1.1\r\nHost: plugin\r\nConnection: close\r\nContent-Length: \(body.count)\r\n\r\n"
        let socket = places.sockets.appending(kind + ".sock")
        return try await blocking {
            let deadline = Deadline(after: .seconds(60))
            let cancellation = try Cancellation()
            let stream = try LocalStream(connectingTo: socket)
            var answer: [UInt8] = []
            do {
                try stream.send(Array(head.utf8) + body, until: deadline, cancellation: cancellation)
                while true {
                    let piece = try stream.receive(until: deadline, cancellation: cancellation)
                    if piece.isEmpty { break }
                    answer += piece
                }
            } catch let error as SystemError where error.errno != .timedOut {
            }
            return answer.isEmpty ? nil : String(decoding: answer, as: UTF8.self)
        }
    }
}
