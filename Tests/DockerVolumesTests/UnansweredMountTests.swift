// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import Volumes

/// A daemon that is killed between the reference on disk and the answer to the engine.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct UnansweredMountTests {
    /// The daemon after a mount of `web` for `a`, and after its end; `isAnswered`: the engine has got the answer.
    private func restarted(_ fixture: Fixture, isAnswered: Bool) async throws -> VolumeDrivers {
        let first = try fixture.start().nfsd
        try await first.create("web")
        _ = try await first.mount("web", id: "a")
        if isAnswered { await first.mountAnswered("web", id: "a") }
        return try fixture.start()
    }

    private func references(_ volumes: VolumeDrivers) -> Int { volumes.table.record(VolumeName("web")!)?.references.total ?? -1 }

    private func releaseUnanswered(_ volumes: VolumeDrivers) async throws {
        await volumes.volumes.releaseUnanswered(olderThan: 0, try Cancellation())
    }

    @Test func theSameIDAsksAgainAndCountsOnce() async throws {
        try await withFixture { fixture in
            let volumes = try await restarted(fixture, isAnswered: false)
            #expect(references(volumes) == 1)
            _ = try await volumes.nfsd.mount("web", id: "a")
            await volumes.nfsd.mountAnswered("web", id: "a")
            #expect(references(volumes) == 1)
            try await volumes.nfsd.unmount("web", id: "a")
            #expect(references(volumes) == 0)
            #expect(try !fixture.isMounted("web"))
        }
    }

    /// As `docker cp` does.
    @Test func oneThatWasAnsweredCountsOn() async throws {
        try await withFixture { fixture in
            let volumes = try await restarted(fixture, isAnswered: true)
            _ = try await volumes.nfsd.mount("web", id: "a")
            #expect(references(volumes) == 2)
            try await releaseUnanswered(volumes)
            #expect(references(volumes) == 2)
            #expect(try fixture.isMounted("web"))
        }
    }

    @Test func nobodyAsksAgainAndTheVolumeIsReleased() async throws {
        try await withFixture { fixture in
            let volumes = try await restarted(fixture, isAnswered: false)
            try await releaseUnanswered(volumes)
            #expect(references(volumes) == 0)
            #expect(try !fixture.isMounted("web"))
            #expect(fixture.names("run/references").isEmpty)
            #expect(fixture.log.contains("notice volume web: 1 references are dropped; they were not answered before the restart"))
        }
    }

    /// The answer had come, and its note on disk had not. The container runs.
    @Test func oneThatAProcessUsesStays() async throws {
        try await withFixture { fixture in
            let volumes = try await restarted(fixture, isAnswered: false)
            let container = fixture.folder.appending("container")
            try makeFolders(container)
            try await withUnshared("private", doing: "mount --bind \(fixture.place("web")) \(container)") { _ in
                try await releaseUnanswered(volumes)
                #expect(references(volumes) == 1)
                #expect(try fixture.isMounted("web"))
            }
            // From then on it is as if it had been answered.
            try await releaseUnanswered(try fixture.start())
            #expect(try fixture.isMounted("web"))
        }
    }

    @Test func aYoungOneIsWaitedForAndTheEndOfTheDaemonEndsThat() async throws {
        try await withFixture { fixture in
            let volumes = try await restarted(fixture, isAnswered: false)
            let running = Task { await volumes.run() }
            // Between a mount and the start of its container nothing else shows that it is needed.
            volumes.shutDown()
            await running.value
            #expect(references(volumes) == 1)
            #expect(try fixture.isMounted("web"))
        }
    }

    /// A copy out of a container that has its answer: what is taken back is the copy's, and the container's stays an answered one.
    @Test func whatIsTakenBackIsTheOneWithoutAnAnswer() async throws {
        try await withFixture { fixture in
            let first = try fixture.start().nfsd
            try await first.create("web")
            _ = try await first.mount("web", id: "a")
            await first.mountAnswered("web", id: "a")
            _ = try await first.mount("web", id: "a")
            try await first.takeBackMount("web", id: "a")
            let volumes = try fixture.start()
            try await releaseUnanswered(volumes)
            #expect(references(volumes) == 1)
            #expect(try fixture.isMounted("web"))
        }
    }
}
