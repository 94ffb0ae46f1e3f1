// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import KernelMount
import LinuxSystem
import StandIn
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import Volumes

/// A volume whose server does not have any more what is mounted, while containers hold it.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct StaleMountTests {
    /// Troubles are files in a folder, which is the second argument.
    private func withTroubles(_ body: (Fixture, FilePath) async throws -> Void) async throws {
        try await withFixture { plain in
            var fixture = plain
            let troubles = plain.folder.appending("troubles")
            try makeFolder(troubles, mode: 0o700)
            var standIn = try #require(fixture.settings.volumes.kind as? StandIn)
            standIn.troubles = troubles
            fixture.settings.volumes.kind = standIn
            try await body(fixture, troubles)
        }
    }

    private func holders(_ driver: NFSVolumeDriver) throws -> JSONValue? { try driver.get("web").status?["heldBy"] }

    @Test func itIsMountedAfreshWithItsReferencesAndTheOldOnesAreShown() async throws {
        try await withTroubles { fixture, troubles in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            let place = try await driver.mount("web", id: "a")
            try replaceFile(FilePath(place).appending("old"), with: [])
            _ = try await driver.mount("web", id: "b")
            #expect(fixture.names("mnt/web") == ["old"], "a mount that is not stale was replaced")
            try replaceFile(troubles.appending("stale"), with: [])
            #expect(try await driver.mount("web", id: "c") == place)
            try removeFile(troubles.appending("stale"))
            #expect(try fixture.mounts("web").count == 1)
            #expect(fixture.names("mnt/web").isEmpty, "it is the old mount")
            let expected: JSONValue = [
                ["id": "a", "count": 1, "outdated": true], ["id": "b", "count": 1, "outdated": true], ["id": "c", "count": 1],
            ]
            #expect(try holders(driver) == expected)
            #expect(fixture.log.contains("warning volume web: ", "until they start again, these keep the old mount: container a, b"))
            // The same after a restart of the daemon, and for status.
            #expect(try holders(try fixture.start().nfsd) == expected)
            let report = try StatusReport(settings: fixture.settings, logger: fixture.logger)
            #expect(report.text.contains("held by    mount a, which has a stale mount: restart it\n"))
            #expect(report.text.contains("held by    mount c\n"))
        }
    }

    @Test func aServerThatIsAwayMeanwhileLeavesNothingToWriteTo() async throws {
        try await withTroubles { fixture, troubles in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            let place = try await driver.mount("web", id: "a")
            try replaceFile(troubles.appending("stale"), with: [])
            try replaceFile(troubles.appending("nas"), with: Array("refused 0".utf8))
            await #expect(throws: (any Error).self) { try await driver.mount("web", id: "b") }
            #expect(try fixture.mounts("web").isEmpty)
            #expect(fixture.names("mnt").isEmpty)
            #expect(try holders(driver) == [["id": "a", "count": 1, "outdated": true]])
            for trouble in ["stale", "nas"] { try removeFile(troubles.appending(trouble)) }
            #expect(try await driver.mount("web", id: "b") == place)
            for id in ["a", "b"] { try await driver.unmount("web", id: id) }
            #expect(try fixture.mounts("web").isEmpty)
        }
    }

    @Test func whatIsMountedInOrderIsNotStale() throws {
        #expect(!MountCheck.isStale(at: "/proc", program: "test"))
        #expect(!MountCheck.isStale(at: "/nonexistent", program: "test"))
    }
}
