// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import KernelMount
import LinuxSystem
import StandIn
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import Volumes

@Suite(.timeLimit(.minutes(5))) struct FailedStartsTests {
    private typealias Container = MadeUpEngine.Container

    private static let pace = FailedStarts.Pace(
        interval: .milliseconds(20), longestInterval: .milliseconds(50), probe: .seconds(1), settling: .milliseconds(300),
        firstPause: .milliseconds(10))

    private final class Flag: Sendable {
        let value: Mutex<Bool>
        init(_ value: Bool) { self.value = Mutex(value) }
    }

    private struct Subject: Sendable {
        let fixture: Fixture
        let drivers: VolumeDrivers
        let engine: MadeUpEngine
        let starts: FailedStarts
        let isReady: Flag

        func setServer(_ name: String, isAway: Bool) throws {
            let file = fixture.folder.appending("troubles").appending(name)
            if isAway { try replaceFile(file, with: Array("silent 1".utf8), durable: false) } else { try removeFile(file, durable: false) }
        }

        func fail(_ volume: String, _ code: StorageError.Code = .silent) {
            starts.mountFailed(volume, owner: "nfsd", StorageError(code, "it does not answer"))
        }

        var file: String? {
            (try? readRegularFile(fixture.folder.appending("run/failed-starts.json"), limit: 1 << 20)).map {
                String(decoding: $0, as: UTF8.self)
            }
        }

        func isStored() async throws { try await eventually("it is stored") { file != nil } }
        func isOver() async throws { try await eventually("nothing is waited for") { file == nil } }
        /// Of the server, which is away.
        func isAsked(_ server: String) async throws {
            let before = drivers.state.servers.state(of: server)?.outage?.failures ?? 0
            try await eventually("\(server) is asked") { (drivers.state.servers.state(of: server)?.outage?.failures ?? 0) >= before + 3 }
        }

        var log: [String] { fixture.log.all }
    }

    /// Volume `v` is of server `nas` and `w` of server `other`; both servers are away.
    private func withSubject(
        _ containers: [Container], isReady: Bool = true, answer: String? = nil, _ body: (Subject) async throws -> Void
    ) async throws {
        try await withFixture { plain in
            var fixture = plain
            var standIn = try #require(fixture.settings.volumes.kind as? StandIn)
            standIn.troubles = fixture.folder.appending("troubles")
            fixture.settings.volumes.kind = standIn
            try makeFolders(fixture.folder.appending("troubles"))
            let drivers = try fixture.start()
            try await drivers.nfsd.create("v")
            try await drivers.nfsd.create("w", options: ["server": "other", "path": "/export"])
            let engine = try MadeUpEngine(at: fixture.folder.appending("docker.sock").string, containers, answer: answer)
            try await watch(fixture, drivers, engine, isReady: Flag(isReady)) { subject in
                for server in ["nas", "other"] { try subject.setServer(server, isAway: true) }
                try await body(subject)
            }
            engine.end()
        }
    }

    /// One life of what is tested.
    private func watch(
        _ fixture: Fixture, _ drivers: VolumeDrivers, _ engine: MadeUpEngine, isReady: Flag, _ body: (Subject) async throws -> Void
    ) async throws {
        let ending = try Cancellation()
        let api = EngineAPI(
            socket: fixture.folder.appending("docker.sock"), ending: ending, patience: .seconds(5), startPatience: .seconds(5))
        let starts = try FailedStarts(drivers.state, api: api, pace: Self.pace, logger: fixture.logger) {
            isReady.value.withLock { $0 }
        }
        engine.onFailingMount { starts.mountFailed($0, owner: "nfsd", StorageError(.silent, "it does not answer")) }
        let running = Task { await starts.run() }
        do { try await body(Subject(fixture: fixture, drivers: drivers, engine: engine, starts: starts, isReady: isReady)) } catch {
            Issue.record(error)
        }
        starts.shutDown()
        ending.cancel()
        await running.value
    }

    @Test func aContainerIsStartedOnceItsServerAnswers() async throws {
        try await withSubject([Container(id: "a1")]) { subject in
            subject.fail("v")
            try await subject.isAsked("nas")
            #expect(subject.engine.requests == [])
            try subject.setServer("nas", isAway: false)
            try await eventually("it is started") { subject.engine.started == ["a1"] }
            try await subject.isOver()
            #expect(subject.engine.started == ["a1"])
            #expect(subject.log.contains { $0.contains("container name-a1 runs again") }, "\(subject.log)")
        }
    }

    /// Each of the others is what it is for one reason.
    @Test func onlyThoseAreStartedThatAreToRun() async throws {
        let all = [
            Container(id: "a1", policy: "unless-stopped"), Container(id: "a2", policy: "on-failure", limit: 3, count: 2),
            Container(id: "a3", policy: "on-failure"), Container(id: "b1", error: ""), Container(id: "b2", policy: "no"),
            Container(id: "b3", policy: ""), Container(id: "b4", policy: "on-failure", limit: 3, count: 3),
            Container(id: "b5", status: "created"), Container(id: "b6", status: "running"), Container(id: "b7", status: "dead"),
            Container(id: "b8", labels: ["com.docker.swarm.task": ""]), Container(id: "b9", labels: ["com.docker.swarm.task.id": "x"]),
            Container(id: "ba", volumes: ["local:v"]), Container(id: "bb", volumes: ["w"]),
            Container(id: "a4", volumes: ["docker-nfsd:v", "x"]),
        ]
        try await withSubject(all) { subject in
            subject.fail("v")
            try await subject.isStored()
            try subject.setServer("nas", isAway: false)
            try await subject.isOver()
            #expect(subject.engine.started == ["a1", "a2", "a3", "a4"])
        }
    }

    @Test func oneThatFailsAtItsVolumeAgainIsTriedSoOftenAndNoMore() async throws {
        try await withSubject([Container(id: "a1", refusal: "mount failed", failing: "v")]) { subject in
            subject.fail("v")
            try await subject.isStored()
            try subject.setServer("nas", isAway: false)
            try await subject.isOver()
            #expect(subject.engine.started == Array(repeating: "a1", count: FailedStarts.mostTries))
            #expect(subject.log.filter { $0.contains("5 times in vain") }.count == 1)
        }
    }

    @Test func oneThatFailsForAnotherReasonIsTriedOnce() async throws {
        try await withSubject([Container(id: "a1", refusal: "port is already\n allocated\u{1b}[2J"), Container(id: "a2")]) { subject in
            subject.fail("v")
            try await subject.isStored()
            try subject.setServer("nas", isAway: false)
            try await subject.isOver()
            #expect(subject.engine.started == ["a1", "a2"])
            #expect(subject.log.contains { $0.contains("port is already; allocated?[2J; no volume has failed") }, "\(subject.log)")
        }
    }

    @Test func oneThatNeedsTwoVolumesWaitsForBoth() async throws {
        try await withSubject([Container(id: "a1", volumes: ["v", "w"]), Container(id: "a2", volumes: ["w"])]) { subject in
            subject.fail("v")
            subject.fail("w")
            try subject.setServer("other", isAway: false)
            try await eventually("the one that needs no more is started") { subject.engine.started == ["a2"] }
            try await subject.isAsked("nas")
            #expect(subject.engine.started == ["a2"])
            try subject.setServer("nas", isAway: false)
            try await eventually("the other is started") { subject.engine.started == ["a2", "a1"] }
            try await subject.isOver()
        }
    }

    @Test func whatIsWaitedForOutlivesARestart() async throws {
        try await withSubject([Container(id: "a1")]) { subject in
            subject.fail("v")
            try await subject.isStored()
        }
        try await withSubject([Container(id: "a1")]) { first in
            first.fail("v")
            try await first.isStored()
            try await watch(first.fixture, first.drivers, first.engine, isReady: Flag(true)) { second in
                first.isReady.value.withLock { $0 = false }
                try second.setServer("nas", isAway: false)
                try await eventually("it is started") { second.engine.started == ["a1"] }
            }
        }
    }

    /// What says nothing of a server is no reason to start anything, nor is a volume that is gone.
    @Test func othersThanServersAreNotWaitedFor() async throws {
        try await withSubject([Container(id: "a1")]) { subject in
            for code in [StorageError.Code.badOption, .cancelled, .noSuchVolume, .inUse, .local] { subject.fail("v", code) }
            subject.fail("w")
            try await subject.isStored()
            #expect(subject.file?.contains("\"v\"") == false)
            try await subject.drivers.nfsd.remove("w")
            try await subject.isOver()
            #expect(subject.engine.requests == [])
        }
    }

    /// A question to an engine that is about to end would have systemd start it again.
    @Test func nobodyIsAskedWhileNoEngineAnswers() async throws {
        try await withSubject([Container(id: "a1")], isReady: false) { subject in
            try subject.setServer("nas", isAway: false)
            subject.fail("v")
            try await subject.isStored()
            #expect(subject.engine.requests == [])
            subject.isReady.value.withLock { $0 = true }
            try await eventually("it is started") { subject.engine.started == ["a1"] }
        }
    }

    @Test(arguments: [
        ("SSH-2.0-OpenSSH_9\r\n", "is not HTTP"), ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}}", "status 200"),
        ("HTTP/1.1 500 No\r\nContent-Length: 17\r\n\r\n{\"message\":\"\\u001b\"}", "status 500"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "larger than the limit"), ("", "did not come"),
    ])
    func anEngineThatAnswersWithRubbishIsReportedOnceInOnePlainLine(answer: String, words: String) async throws {
        try await withSubject([Container(id: "a1")], answer: answer) { subject in
            subject.fail("v")
            try subject.setServer("nas", isAway: false)
            try await eventually("it is asked again") { subject.engine.requests.count >= 3 }
            let lines = subject.log.filter { $0.contains("which containers could not start is not known") }
            #expect(lines.count == 1 && lines[0].contains(words), "\(lines)")
            #expect(lines.allSatisfy { $0.unicodeScalars.allSatisfy { (0x20..<0x7f).contains($0.value) } }, "\(lines)")
        }
    }

    @Test func soManyVolumesAreRememberedAndNoMore() async throws {
        try await withSubject([], isReady: false) { subject in
            for number in 0..<FailedStarts.mostVolumes + 10 { subject.fail("volume-\(number)") }
            try await subject.isStored()
            try await eventually("all are stored") { subject.file?.split(separator: "\"driver\"").count == FailedStarts.mostVolumes + 1 }
        }
    }

    /// The driver's own part: a mount that fails is noted, and one that succeeds is not.
    @Test func aMountOfTheDriverThatFailsIsNoted() async throws {
        try await withSubject([Container(id: "a1")]) { subject in
            var settings = subject.fixture.settings
            settings.engine.apiSocket = subject.fixture.folder.appending("docker.sock")
            settings.volumes.stateDirectory = subject.fixture.folder.appending("state2")
            settings.volumes.runtimeDirectory = subject.fixture.folder.appending("run2")
            for isOn in [false, true] {
                settings.engine.restartsFailedContainers = isOn
                let log = LogBook()
                let drivers = try VolumeDrivers(settings: settings, logger: log.logger)
                try await drivers.nfsd.create("v")
                await #expect(throws: (any Error).self) { try await drivers.nfsd.mount("v", id: "1") }
                #expect(log.all.contains { $0.contains("are started again when its server answers") } == isOn)
            }
        }
    }
}
