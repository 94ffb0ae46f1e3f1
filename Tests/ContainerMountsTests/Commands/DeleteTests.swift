// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import TestSupport
import Testing

/// `delete` while plugins take their time.
@Suite(.serialized)
struct DeleteTests {
    @Test func answersInTimeAndTheNextCreateWaits() async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            try await runtime.startContainer("c1")
            let gate = try #require(plugins["first"]).gate("Detach")
            let began = ContinuousClock.now
            #expect(try await runtime.run("delete", "--force", "c1").status == 0)
            // It waits 3 s; the plugin's own time is far longer.
            #expect(ContinuousClock.now - began < Duration.seconds(10).onThisMachine)
            #expect(!runtime.below.knows("c1"))
            let bundle = try runtime.makeBundle("c1")
            let creating = try runtime.start("create", "--bundle", bundle, "--pid-file", bundle + "/pid", "c1")
            #expect(runtime.log.lines == ["first Attach c1", "first Detach c1"])
            gate.open()
            #expect(try await creating.end(within: .seconds(10)) == 0)
            #expect(runtime.log.lines == ["first Attach c1", "first Detach c1", "first Attach c1"])
        }
    }

    @Test(arguments: [false, true])
    func whoIsLeftAtItForgetsTheContainer(isSupervisorKilled: Bool) async throws {
        try await ScratchRuntime.with("first") { runtime, plugins in
            let supervisor = try await runtime.startContainer("c1")
            let gate = try #require(plugins["first"]).gate("Detach")
            if isSupervisorKilled {
                kill(supervisor, SIGKILL)
                try await eventually("it has ended") { !runtime.processes.contains(supervisor) }
            }
            #expect(try await runtime.run("delete", "--force", "c1").status == 0)
            #expect(runtime.record(of: "c1") != [])
            gate.open()
            try await eventually("the record is gone") { runtime.record(of: "c1") == [] }
            #expect(runtime.log.calls("Detach").count == 1)
        }
    }

    @Test func aWorkerThatIsKilledIsReplacedAndNobodyIsAskedTwice() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            let supervisor = try await runtime.startContainer("c1")
            let gate = try #require(plugins["second"]).gate("Detach")
            let before = Set(runtime.processes)
            try runtime.below.end("c1", with: 0)
            try await gate.isReached()
            for worker in runtime.processes where !before.contains(worker) { kill(worker, SIGKILL) }
            gate.open()
            try await eventually("the supervisor ends") { !runtime.processes.contains(supervisor) }
            #expect(runtime.log.calls("Detach").map(\.plugin) == ["second", "first"])
            #expect(try await runtime.run("delete", "c1").status == 0)
        }
    }
}
