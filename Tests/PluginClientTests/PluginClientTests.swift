// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import PluginClient
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// Calls over real sockets: what is sent, what comes back, and how long it may take.
@Suite(.timeLimit(.minutes(2))) struct PluginClientTests {
    /// Long enough never to pass in a test that does not mean it to.
    private static let long = Duration.seconds(100)
    private static let short = Duration.seconds(1)

    private func withPlugin(_ script: @escaping ScriptedPlugin.Script, _ body: (ScriptedPlugin) throws -> Void) async throws {
        try await withScratchFolder { folder in try body(try ScriptedPlugin(at: "\(folder)/p.sock", script)) }
    }

    private func call(_ plugin: ScriptedPlugin, timeout: Duration = long, _ body: [UInt8] = Array("{}".utf8)) -> PluginClientError? {
        callError { _ = try PluginClient(plugin.endpoint, timeout: timeout).call("/A.B", body) }
    }

    @Test(arguments: ["unix", "tcp", "tcp6"])
    func sendsOneRequestAndReturnsTheBody(_ transport: String) async throws {
        try await withScratchFolder { folder in
            let seen = Mutex<PluginConnection.Request?>(nil)
            let script: ScriptedPlugin.Script = { connection in
                seen.withLock { $0 = connection.request() }
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"a\":\"\u{e9}\"}")
            }
            let plugin =
                try transport == "unix" ? ScriptedPlugin(at: "\(folder)/p.sock", script) : ScriptedPlugin(tcp: transport == "tcp6", script)
            let answer = try PluginClient(plugin.endpoint, timeout: Self.long).answer("/A.B", Array("{\"x\":1}".utf8))
            #expect(String(decoding: answer.body, as: UTF8.self) == "{\"a\":\"\u{e9}\"}")
            #expect(answer.sender == (transport == "unix" ? getpid() : nil))
            let request = try #require(seen.withLock { $0 })
            #expect(request.body == "{\"x\":1}")
            let host = transport == "unix" ? "localhost" : String(plugin.endpoint.address.description.dropFirst(6))
            let type = "application/vnd.docker.plugins.v1.2+json"
            #expect(
                request.head == [
                    "POST /A.B HTTP/1.1", "Host: \(host)", "Accept: \(type)", "Content-Type: \(type)", "Content-Length: 7",
                    "Connection: close",
                ])
        }
    }

    @Test func theClientClosesTheConnection() async throws {
        let ended = DispatchSemaphore(value: 0)
        try await withPlugin { connection in
            connection.answer("{}")
            connection.waitForEnd()
            ended.signal()
        } _: { plugin in
            _ = try PluginClient(plugin.endpoint, timeout: Self.long).call("/A.B", [])
            ended.wait()
        }
    }

    /// Far more than a socket holds, in both directions, and read in small pieces.
    @Test func largeRequestsAndAnswers() async throws {
        let body = Array(String(repeating: "0123456789abcdef", count: 64 << 10).utf8)
        try await withPlugin { connection in
            var left = body.count
            while left > 0, let part = connection.receive(atMost: 10_000) { left -= part.count }
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: body.count, by: 4096) {
                connection.send("1000\r\n")
                connection.send(Array(body[start..<(start + 4096)]))
                connection.send("\r\n")
            }
            connection.send("0\r\n\r\n")
        } _: { plugin in
            let answer = try PluginClient(plugin.endpoint, timeout: Self.long).call("/A.B", body, answerLimit: body.count)
            #expect(answer == body)
        }
    }

    @Test func aPathLongerThanASocketAddress() async throws {
        try await withScratchFolder { folder in
            let deep = "\(folder)/" + String(repeating: "d", count: 200)
            try #require(mkdir(deep, 0o755) == 0)
            let plugin = try ScriptedPlugin(at: "\(deep)/p.sock") { $0.answer("{}") }
            #expect(try PluginClient(plugin.endpoint, timeout: Self.long).call("/A.B", []) == Array("{}".utf8))
            #expect(PluginInstanceID(of: plugin.endpoint) != nil)
        }
    }

    /// Each answer that is none: the connection ends after it.
    @Test(arguments: [
        ("", "the connection was closed"), ("garbage", "is not HTTP: it begins with \"garbage\""),
        ("HTTP/1.1 200 OK\r\nContent-", "inside its head"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", "8 bytes too early"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}", "larger than the limit of 1048576 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a chunk without a size"),
    ])
    func whatIsNoAnswerLeavesTheCallUnclear(_ text: String, _ reason: String) async throws {
        try await withPlugin { connection in
            connection.request()
            connection.send(text)
        } _: { plugin in
            let error = try #require(call(plugin))
            #expect(error.kind == .unclear)
            #expect(error.plugin == "scripted")
            #expect(error.message.hasPrefix("plugin scripted at \(plugin.endpoint.address): A.B: the answer "))
            #expect(error.message.contains(reason), "\(error.message)")
            #expect(error.cause != nil)
        }
    }

    @Test func aResetConnectionLeavesTheCallUnclear() async throws {
        // Of a UNIX socket that is closed with something unread in it, the other end hears ECONNRESET.
        try await withPlugin { _ in
        } _: { plugin in
            let error = try #require(call(plugin, Array(repeating: UInt8(ascii: " "), count: 10)))
            #expect(error.kind == .unclear)
            #expect(error.message.contains("no answer came") && error.message.contains("(ECONNRESET)"), "\(error.message)")
            #expect((error.cause as? SystemError)?.errno == .connectionReset)
        }
    }

    @Test func aMegabyteWithoutAnEndIsCutOff() async throws {
        try await withPlugin { connection in
            connection.request()
            connection.send("HTTP/1.1 200 OK\r\n\r\n")
            while connection.send([UInt8](repeating: UInt8(ascii: "x"), count: 1 << 16)) {}
        } _: { plugin in
            let error = try #require(call(plugin))
            #expect(error.kind == .unclear)
            #expect(error.message.contains("larger than the limit of 1048576 bytes"))
        }
    }

    /// The deadline is for the whole call: a byte now and then does not push it out.
    @Test(arguments: ["", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "HTTP/1.1 200 OK\r\nX: "])
    func aSlowDripMeetsTheDeadline(_ beginning: String) async throws {
        try await withPlugin { connection in
            connection.request()
            connection.send(beginning)
            while beginning.isEmpty ? poll(nil, 0, 5) == 0 && connection.isOpen : connection.send("x") { usleep(5000) }
        } _: { plugin in
            let start = ContinuousClock.now
            let error = try #require(call(plugin, timeout: Self.short))
            #expect(error.kind == .unclear)
            #expect(error.message.contains("within 1.0 seconds"), "\(error.message)")
            #expect(error.cause == nil, "nothing has failed but the time was up")
            #expect(start.duration(to: .now) >= Self.short)
        }
    }

    /// A request larger than the socket holds, and nobody reads it.
    @Test func whatIsNotReadIsNotSent() async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock", nil)
            let error = try #require(call(plugin, timeout: Self.short, Array(repeating: UInt8(ascii: " "), count: 8 << 20)))
            #expect(error.kind == .notSent)
            #expect(error.message.contains("(ETIMEDOUT): it did not read the request within 1.0 seconds"), "\(error.message)")
            #expect((error.cause as? SystemError)?.errno == .timedOut)
            // A small one is: it waits in the socket, and may still be read.
            #expect(call(plugin, timeout: Self.short)?.kind == .unclear)
        }
    }

    @Test func aFullQueueOfConnectionsIsWaitedFor() async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock", backlog: 0, nil)
            let client = PluginClient(plugin.endpoint, timeout: Self.short)
            var errors: [PluginClientError] = []
            while errors.last?.message.contains("connect") != true && errors.count < 10 {
                errors.append(try #require(callError { _ = try client.call("/A.B", []) }))
            }
            #expect(errors.last?.kind == .notSent)
            #expect(errors.last?.message.contains("(ETIMEDOUT); it did not take a connection within 1.0 seconds") == true, "\(errors)")
            #expect(PluginInstanceID(of: plugin.endpoint) == nil)
        }
    }

    @Test func whereNobodyListens() async throws {
        try await withScratchFolder { folder in
            try makeDeadSocket(at: "\(folder)/p.sock")
            let name = try PluginName("p")
            let dead = PluginEndpoint(name: name, address: .unix(path: "\(folder)/p.sock"), foundAt: "x")
            let gone = PluginEndpoint(name: name, address: .unix(path: "\(folder)/gone.sock"), foundAt: "x")
            for (endpoint, words) in [(dead, "its socket is there, but nobody listens"), (gone, "(ENOENT)")] {
                let error = try #require(callError { _ = try PluginClient(endpoint, timeout: Self.long).call("/A.B", []) })
                #expect(error.kind == .notSent)
                #expect(error.message.contains(words), "\(error.message)")
                #expect(error.message.hasSuffix("or take it out of the chain"))
                #expect(PluginInstanceID(of: endpoint) == nil)
            }
        }
        let plugin = try ScriptedPlugin(tcp: false) { _ in }
        plugin.stop()
        #expect(call(plugin)?.kind == .notSent)
        #expect(call(plugin)?.message.contains("(ECONNREFUSED); nobody listens there") == true)
    }

    /// Signals interrupt every call that waits; none of them is lost or repeated.
    @Test func signalsDoNotDisturb() async throws {
        // Without SA_RESTART.
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        try #require(sigaction(SIGUSR2, &action, nil) == 0)
        let isDone = Atomic(false)
        let body = Array(String(repeating: "x", count: 1 << 20).utf8)
        try await withPlugin { connection in
            let request = connection.request()
            usleep(20_000)
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(request?.body.utf8.count ?? 0)\r\n\r\n\(request?.body ?? "")")
        } _: { plugin in
            let thread = pthread_self()
            let finished = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                while !isDone.load(ordering: .relaxed) {
                    pthread_kill(thread, SIGUSR2)
                    usleep(50)
                }
                finished.signal()
            }
            defer {
                isDone.store(true, ordering: .relaxed)
                finished.wait()
            }
            for _ in 0..<5 {
                let answer = try PluginClient(plugin.endpoint, timeout: Self.long).call("/A.B", body)
                #expect(answer == body)
            }
        }
    }
}
