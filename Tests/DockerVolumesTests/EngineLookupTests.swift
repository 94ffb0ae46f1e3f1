// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

@Suite(.timeLimit(.minutes(5))) struct EngineLookupTests {
    /// Looks up until the body returns.
    private func withLookup(
        at socket: FilePath, log: LogBook, engines: @escaping @Sendable () -> [ProcessIdentity], _ body: () async throws -> Void
    ) async throws {
        var lookup = EngineLookup(socket: socket, drivers: ["nfsd", "docker-nfsd"], logger: log.logger)
        lookup.engines = engines
        lookup.firstPause = .milliseconds(20)
        let (ready, cancellation) = (lookup, try Cancellation())
        let running = Task { try await BlockingThread.run(named: "lookup") { ready.run(cancellation) } }
        do { try await body() } catch { Issue.record(error) }
        cancellation.cancel()
        try await running.value
    }

    private static func engine(_ process: Int) -> [ProcessIdentity] { [ProcessIdentity(process: Int32(process), startTime: 1)] }

    @Test func eachEngineThatComesIsAskedOnce() async throws {
        try await withFixture { fixture in
            let log = LogBook()
            let socket = fixture.folder.appending("docker.sock")
            let running = Atomic(1)
            try await withLookup(at: socket, log: log) {
                Self.engine(running.load(ordering: .relaxed))
            } _: {
                for life in 1...2 {
                    running.store(life, ordering: .relaxed)
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
            try await withLookup(at: socket, log: log, engines: { Self.engine(1) }) {
                try await eventually("it is asked again") { engine.requests.count >= 3 }
                #expect(log.all.filter { $0.contains("was not told of the driver") && $0.contains("500") }.count == 1)
            }
            engine.end()
        }
    }

    @Test(arguments: [
        ("SSH-2.0-OpenSSH_9\r\n", "the answer was \"SSH-2.0-OpenSSH_9\""), (String(repeating: "\0", count: 20_000), "no answer"),
        ("HTTP/1.1 200\u{1b}[2J\n", "the answer was \"HTTP/1.1 200\""), ("\u{1b}[2J\u{202e}\n", "no answer"),
        (String(repeating: "x", count: 20_000), "the answer was \"\(String(repeating: "x", count: 80))\""),
        ("HTTP/1.1 404 Not Found\nHTTP/1.1 200 OK\n", "the answer was \"HTTP/1.1 404 Not Found\""),
    ])
    func anEngineThatAnswersWithRubbishIsReportedInOnePlainLine(answer: String, words: String) async throws {
        try await withFixture { fixture in
            let log = LogBook()
            let socket = fixture.folder.appending("docker.sock")
            let engine = try FakeEngine(at: socket, answer: answer)
            try await withLookup(at: socket, log: log, engines: { Self.engine(1) }) {
                try await eventually("it is reported") { log.all.contains { $0.contains("was not told of the driver") } }
            }
            engine.end()
            let lines = log.all.filter { $0.contains("the engine at") }
            #expect(lines.count == 1 && lines[0].contains(words), "\(lines)")
            #expect(lines.allSatisfy { $0.unicodeScalars.allSatisfy { (0x20..<0x7f).contains($0.value) } }, "\(lines)")
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
                return runs.load(ordering: .relaxed) ? Self.engine(1) : []
            } _: {
                try await eventually("it has looked for engines") { looks.load(ordering: .relaxed) >= 3 }
                #expect(engine.requests.isEmpty)
                runs.store(true, ordering: .relaxed)
                try await eventually("the engine that runs now is asked") { !engine.requests.isEmpty }
            }
            engine.end()
        }
    }

    /// An engine that is stopped closes its connections first and then ends its containers. systemd listens already, and would start
    /// the engine again for a connection that comes meanwhile.
    @Test(arguments: [true, false]) func anEngineThatIsStoppingIsNotAskedAgain(hasAnswered: Bool) async throws {
        try await withFixture { fixture in
            let socket = fixture.folder.appending("docker.sock")
            let engine = try FakeEngine(at: socket, answer: hasAnswered ? FakeEngine.well : nil)
            let looks = Atomic(0)
            let process = Atomic(1)
            try await withLookup(at: socket, log: LogBook()) {
                looks.add(1, ordering: .relaxed)
                return Self.engine(process.load(ordering: .relaxed))
            } _: {
                try await eventually("it is asked") { engine.requests.count == 1 }
                engine.closeConnections()
                let before = looks.load(ordering: .relaxed)
                try await eventually("it was looked for") { looks.load(ordering: .relaxed) >= before + 4 }
                #expect(engine.connectionCount == 1)
                process.store(2, ordering: .relaxed)
                try await eventually("the next one is asked") { engine.requests.count == 2 }
            }
            engine.end()
        }
    }

    /// A process that an engine starts has the engine's name until it becomes what it is to be.
    @Test func whatIsThereForAMomentIsNoEngine() async throws {
        try await withFixture { fixture in
            let socket = fixture.folder.appending("docker.sock")
            let engine = try FakeEngine(at: socket)
            let looks = Atomic(0)
            try await withLookup(at: socket, log: LogBook()) {
                let look = looks.add(1, ordering: .relaxed).newValue
                return look.isMultiple(of: 2) ? [] : Self.engine(look)
            } _: {
                try await eventually("it was looked for") { looks.load(ordering: .relaxed) >= 8 }
                #expect(engine.connectionCount == 0)
            }
            engine.end()
        }
    }

    @Test func anEngineThatNeverAnswersDoesNotKeepTheDaemonFromEnding() async throws {
        try await withFixture { fixture in
            let socket = fixture.folder.appending("docker.sock")
            let engine = try FakeEngine(at: socket, answer: nil)
            try await withLookup(at: socket, log: LogBook(), engines: { Self.engine(1) }) {
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

    static let well = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    /// How many have been there.
    var connectionCount: Int { state.withLock { $0.connections.count } }

    func closeConnections() { for connection in state.withLock({ $0.connections }) { shutdown(connection, Int32(SHUT_RDWR)) } }

    var requests: [String] { state.withLock { $0.requests } }

    init(at socket: FilePath, answer: String? = well) throws {
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
