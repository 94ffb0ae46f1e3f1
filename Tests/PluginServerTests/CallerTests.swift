// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import PluginServer
import TestSupport
import Testing

/// What becomes of calls that take long.
@Suite(.timeLimit(.minutes(1))) struct CallerTests {
    @Test func aMountThatNeverEndsHoldsUpNobody() async throws {
        try await withServer { fixture in
            var stuck: [RawClient] = []
            for index in 0..<20 {
                let client = try fixture.client()
                try await client.sendCall("/VolumeDriver.Mount", #"{"Name":"held","ID":"\#(index)"}"#)
                stuck.append(client)
            }
            await fixture.driver.events.wait(for: "mount held", times: 20)
            let client = try fixture.client()
            #expect(try await client.call("/Plugin.Activate", "").status == 200)
            #expect(try await client.call("/VolumeDriver.Get", #"{"Name":"v"}"#).status == 200)
            #expect(try await client.call("/VolumeDriver.List").status == 200)
            #expect(try await client.call("/VolumeDriver.Mount", #"{"Name":"other","ID":"a"}"#).status == 200)
            #expect(try await client.call("/VolumeDriver.Unmount", #"{"Name":"other","ID":"a"}"#).status == 200)
            #expect(stuck.allSatisfy { $0.isQuiet })
            fixture.driver.open()
            for client in stuck { #expect(try await client.answer().body == #"{"Mountpoint":"/mnt/held","Err":""}"#) }
            #expect(!fixture.driver.events.all.contains { $0.hasPrefix("unmount held") })
        }
    }

    @Test(arguments: [
        ("/VolumeDriver.Mount", "mount"), ("/VolumeDriver.Create", "create"), ("/VolumeDriver.Remove", "remove"),
    ])
    func cancelsWhenTheCallerLeaves(path: String, call: String) async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            try await client.sendCall(path, #"{"Name":"endless","ID":"a"}"#)
            await fixture.driver.events.wait(for: "\(call) endless")
            client.leave()
            await fixture.driver.events.wait(for: "cancelled \(call) endless")
            await fixture.log.wait(for: "notice VolumeDriver.")
            #expect(!fixture.driver.events.all.contains { $0.hasPrefix("unmount") })
        }
    }

    @Test func takesBackAMountThatSucceedsAfterItsCallerLeft() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            try await client.sendCall("/VolumeDriver.Mount", #"{"Name":"held","ID":"a"}"#)
            await fixture.driver.events.wait(for: "mount held a")
            client.leave()
            await fixture.driver.events.wait(for: "cancelled mount held a")
            #expect(!fixture.driver.events.all.contains("unmount held a"))
            fixture.driver.open()
            await fixture.driver.events.wait(for: "unmount held a")
            await fixture.log.wait(for: "notice A mount that its caller did not wait for was taken back")
        }
    }

    @Test func theDriverLearnsThatAMountWasAnswered() async throws {
        try await withServer { fixture in
            let gone = try fixture.client()
            try await gone.sendCall("/VolumeDriver.Mount", #"{"Name":"held","ID":"a"}"#)
            await fixture.driver.events.wait(for: "mount held a")
            gone.leave()
            await fixture.driver.events.wait(for: "cancelled mount held a")
            fixture.driver.open()
            await fixture.driver.events.wait(for: "unmount held a")
            let client = try fixture.client()
            #expect(try await client.call("/VolumeDriver.Mount", #"{"Name":"v","ID":"b"}"#).status == 200)
            await fixture.driver.answered.wait(for: "v b")
            #expect(try await client.call("/VolumeDriver.Mount", #"{"Name":"bad","ID":"c"}"#).status == 500)
            #expect(fixture.driver.answered.all == ["v b"])
        }
    }

    @Test func saysSoIfAMountCannotBeTakenBack() async throws {
        // "bad" fails to unmount, so the mount itself must be let through.
        try await withServer(TestDriver(mountsBad: true)) { fixture in
            let client = try fixture.client()
            client.shutDown(CInt(SHUT_RD))
            try await client.sendCall("/VolumeDriver.Mount", #"{"Name":"bad","ID":"a"}"#)
            await fixture.driver.events.wait(for: "unmount bad a")
            await fixture.log.wait(for: "error A mount that its caller did not wait for could not be taken back: bad bad")
        }
    }

    @Test func takesBackAMountWhoseAnswerCannotBeWritten() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            client.shutDown(CInt(SHUT_RD))
            try await client.sendCall("/VolumeDriver.Mount", #"{"Name":"v","ID":"a"}"#)
            await fixture.driver.events.wait(for: "unmount v a")
        }
    }

    @Test func takesBackAMountWhoseAnswerIsNeverRead() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            try await client.sendCall("/VolumeDriver.Mount", #"{"Name":"v","ID":"a"}"#)
            try await client.waitUntilReadable()
            client.leave()
            await fixture.driver.events.wait(for: "unmount v a")
        }
    }

    /// The kernel has taken the answer, which is lost if the caller leaves, and a daemon that is killed then cannot take the mount back.
    @Test func anAnswerThatNobodyHasReadIsNotCalledDelivered() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            try await client.sendCall("/VolumeDriver.Mount", #"{"Name":"v","ID":"a"}"#)
            try await client.waitUntilReadable()
            // It is looked again after 1, 2, 4, … ms, so this is long after the first looks.
            for _ in 0..<5 { #expect(try await fixture.client().call("/VolumeDriver.Mount", #"{"Name":"v","ID":"b"}"#).status == 200) }
            try await eventually("the others are") { fixture.driver.answered.all.count == 5 }
            #expect(!fixture.driver.answered.all.contains("v a"))
            client.leave()
            await fixture.driver.events.wait(for: "unmount v a")
            await fixture.server.stop()
            #expect(!fixture.driver.answered.all.contains("v a"))
        }
    }

    @Test(arguments: ["1.1", "1.0"]) func aConnectionThatIsToBeClosedIsKeptUntilItsAnswerIsRead(version: String) async throws {
        try await withServer { fixture in
            let body = #"{"Name":"v","ID":"a"}"#
            let client = try fixture.client()
            try await client.send(
                "POST /VolumeDriver.Mount HTTP/\(version)\r\nHost: x\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
            try await client.waitUntilReadable()
            #expect(fixture.driver.answered.all.isEmpty)
            #expect(try await client.rest().hasPrefix("HTTP/1.1 200"))
            await fixture.driver.answered.wait(for: "v a")
        }
    }

    @Test func leavesAMountAloneWhoseAnswerWasRead() async throws {
        try await withServer { fixture in
            let client = try fixture.client()
            #expect(try await client.call("/VolumeDriver.Mount", #"{"Name":"v","ID":"a"}"#).status == 200)
            // A later answer that is not read says nothing about the mount.
            try await client.sendCall("/VolumeDriver.Get", #"{"Name":"v"}"#)
            try await client.waitUntilReadable()
            client.leave()
            await fixture.log.wait(for: "debug A connection broke")
            let other = try fixture.client()
            #expect(try await other.call("/VolumeDriver.Mount", #"{"Name":"v","ID":"b"}"#).status == 200)
            other.leave()
            #expect(try await fixture.client().call("/VolumeDriver.List").status == 200)
            await fixture.server.stop()
            #expect(fixture.driver.events.all == ["mount v a", "mount v b"])
        }
    }
}
