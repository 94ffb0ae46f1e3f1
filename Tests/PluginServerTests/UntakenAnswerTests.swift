// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import PluginServer
import Testing

/// Callers that ask for much and read nothing.
@Suite(.timeLimit(.minutes(5))) struct UntakenAnswerTests {
    private static let volumes = (0..<20_000).map { Volume(name: "volume-\($0)", mountpoint: "/mnt/\($0)") }
    /// Less than an answer with these has, and more than a socket holds.
    private static let size = 700_000

    private static let requests = [
        "POST /VolumeDriver.List HTTP/1.0\r\nHost: x\r\n\r\n",
        "POST /VolumeDriver.List HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "POST /VolumeDriver.List HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ]

    @Test(arguments: requests) func aCallerThatNeverReadsIsDisconnected(request: String) async throws {
        var limits = ServerLimits()
        limits.delivery = .milliseconds(300)
        limits.connections = 10
        try await withServer(TestDriver(volumes: Self.volumes), limits: limits) { fixture in
            var callers: [RawClient] = []
            for _ in 0..<limits.connections {
                let caller = try fixture.client()
                try await caller.send(request)
                try await caller.waitUntilReadable()
                callers.append(caller)
            }
            // There is room again, although all of them stay.
            while true {
                let another = try fixture.client()
                if let answer = try? await another.call("/VolumeDriver.Capabilities") {
                    #expect(answer.status == 200)
                    break
                }
            }
            let received = try await callers[0].rest()
            #expect(received.hasPrefix("HTTP/1.1 200") && received.utf8.count < Self.size)
        }
    }

    @Test func answersThatNobodyTakesHaveALimitTogether() async throws {
        var limits = ServerLimits()
        limits.delivery = .seconds(3600)
        limits.untakenAnswers = 4 << 20
        try await withServer(TestDriver(volumes: Self.volumes), limits: limits) { fixture in
            var callers: [RawClient] = []
            for index in 0..<12 {
                let caller = try fixture.client()
                try await caller.send(Self.requests[index % Self.requests.count])
                try await caller.waitUntilReadable()
                callers.append(caller)
            }
            // Those who came first have waited longest, and the last one gets all of its answer.
            for caller in callers.prefix(6) { #expect(try await caller.rest().utf8.count < Self.size) }
            #expect(try await callers[11].answer().body.utf8.count > Self.size)
            #expect(fixture.log.all.contains { $0.contains("does not read its answers") })
        }
    }

    /// What is read slowly is not what is never read.
    @Test func aCallerThatReadsGetsAllOfIt() async throws {
        try await withServer(TestDriver(volumes: Self.volumes)) { fixture in
            for request in Self.requests {
                let caller = try fixture.client()
                try await caller.send(request)
                let answer = try await caller.answer()
                #expect(answer.status == 200 && answer.body.hasSuffix("}") && answer.body.utf8.count > Self.size)
            }
        }
    }
}
