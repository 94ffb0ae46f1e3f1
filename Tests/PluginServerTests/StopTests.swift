// SPDX-License-Identifier: AGPL-3.0-or-later

import PluginServer
import Testing

@Suite(.timeLimit(.minutes(1))) struct StopTests {
    @Test func closesIdleConnectionsAtOnceAndLetsCallsEnd() async throws {
        try await withServer { fixture in
            let idle = try fixture.client()
            #expect(try await idle.call("/VolumeDriver.List").status == 200)
            let running = try fixture.client()
            try await running.sendCall("/VolumeDriver.Mount", #"{"Name":"held","ID":"a"}"#)
            await fixture.driver.events.wait(for: "mount held a")
            let begun = try fixture.client()
            try await begun.send("POST /VolumeDriver.Get HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n")
            // Only answered once the server has seen what the others sent before.
            #expect(try await idle.call("/VolumeDriver.List").status == 200)

            async let stopped: Void = fixture.server.stop()
            #expect(try await idle.rest() == "")
            #expect(throws: (any Error).self) { try fixture.client() }
            try await begun.send(#"{"Name":"v"}"#)
            let answer = try await begun.answer()
            #expect(answer.status == 200)
            #expect(answer.header.contains("Connection: close\r\n"))
            fixture.driver.open()
            #expect(try await running.answer().body == #"{"Mountpoint":"/mnt/held","Err":""}"#)
            #expect(try await running.rest() == "")
            await stopped
            #expect(fixture.driver.events.all == ["mount held a"])
        }
    }

    @Test func cancelsCallsThatDoNotEndAndWaitsForTheirUndoing() async throws {
        var limits = ServerLimits()
        limits.stop = .milliseconds(100)
        limits.cancellation = .seconds(30)
        try await withServer(limits: limits) { fixture in
            let held = try fixture.client()
            try await held.sendCall("/VolumeDriver.Mount", #"{"Name":"held","ID":"a"}"#)
            let endless = try fixture.client()
            try await endless.sendCall("/VolumeDriver.Create", #"{"Name":"endless"}"#)
            await fixture.driver.events.wait(for: "mount held a")
            await fixture.driver.events.wait(for: "create endless")
            async let stopped: Void = fixture.server.stop()
            await fixture.driver.events.wait(for: "cancelled mount held a")
            await fixture.driver.events.wait(for: "cancelled create endless")
            fixture.driver.open()
            await stopped
            #expect(fixture.driver.events.all.last == "unmount held a")
        }
    }

    @Test func doesNotWaitForeverForACallThatIgnoresItsCancellation() async throws {
        var limits = ServerLimits()
        limits.stop = .milliseconds(50)
        limits.cancellation = .milliseconds(50)
        try await withServer(limits: limits) { fixture in
            let client = try fixture.client()
            try await client.sendCall("/VolumeDriver.Mount", #"{"Name":"held","ID":"a"}"#)
            await fixture.driver.events.wait(for: "mount held a")
            await fixture.server.stop()
            #expect(fixture.log.all.last == "warning Calls do not end after being cancelled; leaving them behind")
            // And such a mount is still taken back.
            fixture.driver.open()
            await fixture.driver.events.wait(for: "unmount held a")
        }
    }

    @Test func canBeStartedAgain() async throws {
        try await withServer { fixture in
            await fixture.server.stop()
            try await fixture.server.start()
            #expect(try await fixture.client().call("/VolumeDriver.List").status == 200)
        }
    }
}
