// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import PluginServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct ConnectionTests {
    static let get = #"{"Name":"v"}"#

    @Test func keepsAConnectionForManyCalls() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            for _ in 0..<200 { #expect(try await client.call("/VolumeDriver.Get", Self.get).status == 200) }
            for index in 0..<50 { #expect(try await client.call("/VolumeDriver.Mount", #"{"Name":"v","ID":"\#(index)"}"#).status == 200) }
        }
    }

    @Test(arguments: [
        "POST /VolumeDriver.List HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "POST /VolumeDriver.List HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
        "POST /VolumeDriver.List HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    ])
    func closesAfterTheAnswerWhereAsked(request: String) async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            try await client.send(request)
            let answer = try await client.answer()
            #expect(answer.status == 200)
            #expect(answer.header.contains("Connection: close\r\n"))
            #expect(try await client.rest() == "")
        }
    }

    @Test func takesARequestInAnyPieces() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            let request = "POST /VolumeDriver.Get HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n" + Self.get
            for character in request { try await client.send(String(character)) }
            #expect(try await client.answer().status == 200)
            try await client.send(
                "POST /VolumeDriver.Get HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"Name\"\r\n5\r\n:\"v\"}\r\n")
            try await client.send("0\r\n\r\n")
            #expect(try await client.answer().status == 200)
        }
    }

    @Test func closesWhenASecondRequestComesBeforeTheFirstIsAnswered() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            try await client.sendCall("/VolumeDriver.Mount", #"{"Name":"endless","ID":"a"}"#)
            await fixture.driver.events.wait(for: "mount endless a")
            try await client.sendCall("/VolumeDriver.Get", Self.get)
            #expect(try await client.rest() == "")
            await fixture.driver.events.wait(for: "cancelled mount endless a")
        }
    }

    @Test func closesOnACallerThatDoesNotReadItsAnswers() async throws {
        let volumes = (0..<1000).map { Volume(name: "volume-\($0)", mountpoint: "/mnt/\($0)") }
        try await withServer(TestDriver(volumes: volumes)) { fixture in
            let client = try fixture.client()
            let request = "POST /VolumeDriver.List HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
            await #expect(throws: (any Error).self) { for _ in 0..<10_000 { try await client.send(request) } }
            #expect(fixture.log.all.contains { $0.contains("does not read") })
        }
    }

    @Test(arguments: ["nonsense\r\n\r\n", "POST\r\n\r\n", "POST / HTTP/3.9\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}"])
    func refusesWhatIsNotHTTP(bytes: String) async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            try await client.send(bytes)
            let answer = try await client.answer()
            #expect(answer.status == 400)
            #expect(answer.body == #"{"Err":"the request is not valid HTTP"}"#)
            #expect(try await client.rest() == "")
        }
    }

    // MARK: Limits

    @Test func refusesALargeBodyByItsAnnouncement() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            try await client.send("POST /VolumeDriver.Create HTTP/1.1\r\nHost: x\r\nContent-Length: \(1 << 20 + 1)\r\n\r\n")
            let answer = try await client.answer()
            #expect(answer.status == 413)
            #expect(answer.body == #"{"Err":"the request is larger than 1048576 bytes"}"#)
            #expect(try await client.rest() == "")
        }
    }

    @Test func refusesALargeBodyThatWasNotAnnounced() async throws {
        var limits = ServerLimits()
        limits.bodySize = 1000
        try await withServer(limits: limits) { fixture in
            for path in ["/VolumeDriver.Create", "/VolumeDriver.List", "/nowhere"] {
                let client = try fixture.client()
                let chunk = "64\r\n" + String(repeating: " ", count: 100) + "\r\n"
                try await client.send("POST \(path) HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in 0..<50 { try await client.send(chunk) }
                #expect(try await client.answer().status == 413)
            }
        }
    }

    @Test func takesABodyOfJustTheLimit() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            let body = Self.get + String(repeating: " ", count: 1 << 20 - Self.get.utf8.count)
            for _ in 0..<2 { #expect(try await client.call("/VolumeDriver.Get", body).status == 200) }
            #expect(try await client.call("/VolumeDriver.Get", body + " ").status == 413)
        }
    }

    @Test func limitsTheHeader() async throws {
        var limits = ServerLimits()
        limits.headerSize = 4000
        try await withServer(limits: limits) { fixture in
            for header in [String(repeating: "A: b\r\n", count: 2000), "A: " + String(repeating: "b", count: 5000) + "\r\n"] {
                let client = try fixture.client()
                try await client.send("POST /VolumeDriver.List HTTP/1.1\r\nHost: x\r\n\(header)\r\n")
                #expect(try await client.answer().status == 431)
                #expect(try await client.rest() == "")
            }
            let client = try fixture.client()
            try await client.send("POST /\(String(repeating: "a", count: 5000)) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.answer().status == 431)
        }
    }

    /// The other tests set lower ones, to be quick.
    @Test func theLimitsAreTheseUnlessOthersAreSet() {
        let limits = ServerLimits()
        #expect(limits.bodySize == 1 << 20 && limits.headerSize == 64 << 10 && limits.connections == 1024)
        #expect(limits.requestArrival == .seconds(30) && limits.idle == .seconds(10 * 60))
    }

    @Test(arguments: [
        "P", "POST /VolumeDriver.Get HTTP/1.1\r\n", "POST /VolumeDriver.Get HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n",
        "POST /VolumeDriver.Get HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{\"Name\"",
    ])
    func refusesARequestThatIsBegunAndNotCompleted(bytes: String) async throws {
        var limits = ServerLimits()
        limits.requestArrival = .milliseconds(100)
        try await withServer(limits: limits) { fixture in
            let client = try fixture.client()
            #expect(try await client.call("/VolumeDriver.Get", Self.get).status == 200)
            try await client.send(bytes)
            #expect(try await client.answer().status == 408)
            #expect(try await client.rest() == "")
        }
    }

    @Test func aTrickleDoesNotMoveTheLimit() async throws {
        var limits = ServerLimits()
        limits.requestArrival = .milliseconds(200)
        try await withServer(limits: limits) { fixture in
            let client = try fixture.client()
            let clock = ContinuousClock()
            let start = clock.now
            try await client.send("POST /VolumeDriver.Get HTTP/1.1\r\nX: ")
            while client.isQuiet {
                try await client.send("a")
                try #require(clock.now - start < .seconds(10))
            }
            #expect(try await client.answer().status == 408)
            #expect(clock.now - start >= .milliseconds(200))
        }
    }

    @Test func theLimitEndsWithTheRequest() async throws {
        var limits = ServerLimits()
        limits.requestArrival = .seconds(10)
        try await withServer(limits: limits) { fixture in
            let client = try fixture.client()
            let clock = ContinuousClock()
            let end = clock.now + .seconds(11)
            for piece in ["POST /VolumeDriver.Get HTTP/1.1\r\nHost: x\r\n", "Content-Length: 12\r\n\r\n", #"{"Name""#, #":"v"}"#] {
                try await client.send(piece)
                // An answer on another connection shows that the piece has been read.
                #expect(try await fixture.client().call("/VolumeDriver.Get", Self.get).status == 200)
            }
            #expect(try await client.answer().status == 200)
            while clock.now < end { #expect(try await client.call("/VolumeDriver.Get", Self.get).status == 200) }
        }
    }

    @Test func closesAnIdleConnectionAndNotABusyOne() async throws {
        var limits = ServerLimits()
        // Long enough that a loaded machine does not let them pass between two calls.
        limits.idle = Duration.seconds(8).onThisMachine
        limits.requestArrival = Duration.seconds(3).onThisMachine
        try await withServer(limits: limits) { fixture in
            // The busy one is the older, so that its timer is the first to run out.
            let busy = try fixture.client()
            let running = try fixture.client()
            try await running.sendCall("/VolumeDriver.Mount", #"{"Name":"held","ID":"a"}"#)
            #expect(try await busy.call("/VolumeDriver.Get", Self.get).status == 200)
            let idle = try fixture.client()
            while idle.isQuiet { #expect(try await busy.call("/VolumeDriver.Get", Self.get).status == 200) }
            #expect(try await idle.rest() == "")
            #expect(running.isQuiet)
            #expect(try await busy.call("/VolumeDriver.Get", Self.get).status == 200)
            fixture.driver.open()
            #expect(try await running.answer().status == 200)
            #expect(try await busy.rest() == "")
        }
    }

    @Test func limitsTheNumberOfConnections() async throws {
        var limits = ServerLimits()
        limits.connections = 4
        try await withServer(limits: limits) { fixture in
            var clients: [RawClient] = []
            for _ in 0..<4 {
                let client = try fixture.client()
                #expect(try await client.call("/VolumeDriver.Get", Self.get).status == 200)
                clients.append(client)
            }
            for _ in 0..<3 { #expect(try await fixture.client().rest() == "") }
            #expect(
                fixture.log.all.filter { $0.hasPrefix("warning") } == [
                    "warning 4 connections are open, which is the limit; new ones are closed until others end"
                ])
            for client in clients { #expect(try await client.call("/VolumeDriver.Get", Self.get).status == 200) }
            try await clients[0].send("POST /VolumeDriver.List HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            _ = try await clients[0].rest()
            #expect(try await fixture.client().call("/VolumeDriver.Get", Self.get).status == 200)
        }
    }

    private final class WeakDriver {
        weak var driver: TestDriver?
    }

    /// Also one whose last answer was to a mount: it is kept until its caller is known to have read it.
    @Test(arguments: ["Get", "Mount"]) func whatAConnectionHeldIsGivenBack(call: String) async throws {
        let left = WeakDriver()
        func serve() async throws {
            let driver = TestDriver()
            left.driver = driver
            try await withServer(driver) { fixture in
                let client = try fixture.client()
                #expect(try await client.call("/VolumeDriver.\(call)", #"{"Name":"v","ID":"a"}"#).status == 200)
            }
        }
        try await serve()
        try await eventually("the driver is given back") { left.driver == nil }
    }
}
