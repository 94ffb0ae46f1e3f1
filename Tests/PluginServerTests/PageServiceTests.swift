// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import Logging
import PluginServer
import Synchronization
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(1))) struct PageServiceTests {
    private static let text = "one 1\ntwo 2\n"

    private func withPage(
        limits: ServerLimits = ServerLimits(), _ content: @escaping @Sendable () async throws -> [UInt8] = { Array(text.utf8) },
        _ body: (FilePath, EventLog) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            let log = EventLog()
            let path = folder.appending("test.sock")
            let page = PageService(path: "/metrics", mediaType: "text/plain; version=0.0.4", content: content)
            let server = PluginServer(
                listeners: [PluginListener(name: "metrics", socket: .path(path), service: page)], logger: logger(writingTo: log),
                limits: limits)
            try await server.start()
            do { try await body(path, log) } catch { Issue.record(error) }
            await server.stop()
        }
    }

    private func head(_ status: String, size: Int) -> String {
        "HTTP/1.1 \(status)\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: \(size)\r\n\r\n"
    }

    @Test(arguments: ["/metrics", "/metrics?", "/metrics?name=up"])
    func isReadWithGET(path: String) async throws {
        try await withPage { socket, _ in
            let client = try RawClient(socket)
            for _ in 0..<3 {
                try await client.send("GET \(path) HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
                let answer = try await client.answer()
                #expect(answer.body == Self.text)
                #expect(answer.header == head("200 OK", size: Self.text.utf8.count))
            }
        }
    }

    @Test func isOnlyAnnouncedToHEAD() async throws {
        try await withPage { socket, _ in
            let client = try RawClient(socket)
            try await client.send("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let all = try await client.rest()
            #expect(
                all.hasPrefix("HTTP/1.1 200 OK\r\n") && all.contains("\r\nContent-Length: 12\r\n") && all.hasSuffix("\r\n\r\n"), "\(all)")
        }
    }

    @Test(arguments: [
        ("POST", "/metrics", 405), ("PUT", "/metrics", 405), ("DELETE", "/metrics", 405), ("GET", "/", 404), ("GET", "/metrics/", 404),
        ("GET", "/metricsx", 404), ("POST", "/Plugin.Activate", 404), ("POST", "/VolumeDriver.List", 404),
    ])
    func servesNothingElse(method: String, path: String, status: Int) async throws {
        try await withPage { socket, _ in
            let client = try RawClient(socket)
            try await client.send("\(method) \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            #expect(try await client.answer().status == status)
        }
    }

    @Test func aPageThatCannotBeMadeIsAnError() async throws {
        try await withPage({ throw RawClient.Failure(description: "no /proc") }) { socket, log in
            let client = try RawClient(socket)
            try await client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try await client.answer()
            #expect(answer.status == 500)
            #expect(answer.body == #"{"Err":"no /proc"}"#)
            #expect(log.all.contains("error /metrics failed: no /proc"), "\(log.all)")
        }
    }

    @Test func aReaderThatLeavesEndsTheWork() async throws {
        let events = EventLog()
        let content: @Sendable () async throws -> [UInt8] = {
            events.add("begun")
            try? await Task.sleep(for: .seconds(60))
            events.add(Task.isCancelled ? "cancelled" : "slept")
            return []
        }
        try await withPage(content) { socket, _ in
            let client = try RawClient(socket)
            try await client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await events.wait(for: "begun")
            client.leave()
            await events.wait(for: "cancelled")
        }
    }

    @Test func itsLimitsAreItsOwn() async throws {
        var limits = ServerLimits()
        limits.bodySize = 100
        limits.headerSize = 4000
        limits.connections = 1
        try await withPage(limits: limits) { socket, _ in
            let client = try RawClient(socket)
            try await client.send("GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n")
            #expect(try await client.answer().status == 413)
            client.leave()
        }
        try await withPage(limits: limits) { socket, _ in
            let client = try RawClient(socket)
            try await client.send("GET /metrics HTTP/1.1\r\nX: \(String(repeating: "x", count: 5000))\r\n\r\n")
            #expect(try await client.answer().status == 431)
        }
        try await withPage(limits: limits) { socket, _ in
            let first = try RawClient(socket)
            try await first.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await first.answer().status == 200)
            #expect(try await RawClient(socket).rest() == "", "one connection is the limit")
        }
    }
}
