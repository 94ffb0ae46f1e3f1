// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import NFSVolumes

@Suite(.timeLimit(.minutes(5))) struct EngineLookupTests {
    /// Looks up until the body returns.
    private func withLookup(
        at socket: FilePath, log: LogBook, engineRuns: @escaping @Sendable () -> Bool = { true }, _ body: () async throws -> Void
    ) async throws {
        var lookup = EngineLookup(socket: socket, drivers: ["nfsd", "docker-nfsd"], logger: log.logger)
        lookup.engineRuns = engineRuns
        lookup.firstPause = .milliseconds(20)
        let (ready, cancellation) = (lookup, try Cancellation())
        let running = Task { try await BlockingThread.run(named: "lookup") { ready.run(cancellation) } }
        do { try await body() } catch { Issue.record(error) }
        cancellation.cancel()
        try await running.value
    }

    @Test func eachEngineThatComesIsAskedOnce() async throws {
        try await withFixture { fixture in
            let log = LogBook()
            let socket = fixture.folder.appending("docker.sock")
            try await withLookup(at: socket, log: log) {
                for life in 1...2 {
                    let engine = try FakeEngine(at: socket)
                    try await eventually("life \(life) is asked") { engine.requests.count == 1 }
                    let asked = try #require(engine.requests.first)
                    // What Docker's own client sends for `docker volume ls --filter driver=…`, decoded.
                    #expect(asked.hasPrefix("GET /volumes?filters="))
                    #expect(asked.removingPercentEncoding?.contains(#"{"driver":{"nfsd":true,"docker-nfsd":true}} HTTP/1.1"#) == true)
                    try await eventually("it is in the log") { log.all.filter { $0.contains("has looked up nfsd") }.count == life }
                    engine.end()
                }
            }
        }
    }

    @Test func anEngineThatRefusesIsReportedOnceAndAskedAgain() async throws {
        try await withFixture { fixture in
            let log = LogBook()
            let socket = fixture.folder.appending("docker.sock")
            let engine = try FakeEngine(at: socket, answer: "HTTP/1.1 500 Internal Server Error\r\n\r\n")
            try await withLookup(at: socket, log: log) {
                try await eventually("it is asked again") { engine.requests.count >= 3 }
                #expect(log.all.filter { $0.contains("was not told of the driver") && $0.contains("500") }.count == 1)
            }
            engine.end()
        }
    }

    /// systemd listens at the socket of an engine that an administrator has stopped, and would start it for a connection.
    @Test func nobodyIsCalledWhileNoEngineRuns() async throws {
        try await withFixture { fixture in
            let socket = fixture.folder.appending("docker.sock")
            let engine = try FakeEngine(at: socket)
            let looks = Atomic(0)
            let runs = Atomic(false)
            try await withLookup(at: socket, log: LogBook()) {
                looks.add(1, ordering: .relaxed)
                return runs.load(ordering: .relaxed)
            } _: {
                try await eventually("it has looked for engines") { looks.load(ordering: .relaxed) >= 3 }
                #expect(engine.requests.isEmpty)
                runs.store(true, ordering: .relaxed)
                try await eventually("the engine that runs now is asked") { !engine.requests.isEmpty }
            }
            engine.end()
        }
    }

    @Test func anEngineThatNeverAnswersDoesNotKeepTheDaemonFromEnding() async throws {
        try await withFixture { fixture in
            let socket = fixture.folder.appending("docker.sock")
            let engine = try FakeEngine(at: socket, answer: nil)
            try await withLookup(at: socket, log: LogBook()) {
                try await eventually("it is asked") { !engine.requests.isEmpty }
            }
            engine.end()
        }
    }
}

/// Answers each request with the same words, and keeps connections open until it ends.
private final class FakeEngine: Sendable {
    private let socket: FilePath
    private let listener: Int32
    private let state = Mutex<(requests: [String], connections: [Int32])>(([], []))

    var requests: [String] { state.withLock { $0.requests } }

    init(at socket: FilePath, answer: String? = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") throws {
        self.socket = socket
        listener = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        unlink(socket.string)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(socket.string.utf8)) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(bound == 0 && listen(listener, 8) == 0)
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0 { return }
                state.withLock { $0.connections.append(connection) }
                var buffer = [UInt8](repeating: 0, count: 4096)
                let count = read(connection, &buffer, buffer.count)
                if count > 0 { state.withLock { $0.requests.append(String(decoding: buffer[..<count], as: UTF8.self)) } }
                if let answer {
                    _ = send(connection, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
                    if answer.contains(" 500 ") { shutdown(connection, Int32(SHUT_RDWR)) }
                }
            }
        }
    }

    func end() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        unlink(socket.string)
        for connection in state.withLock({ $0.connections }) { close(connection) }
    }
}
