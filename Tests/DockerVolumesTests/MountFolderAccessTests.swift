// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import Volumes

@Suite(.needs(.root), .timeLimit(.minutes(5))) struct MountFolderAccessTests {
    private func mode(_ fixture: Fixture) throws -> UInt32 { try LinuxSystem.mode(of: fixture.settings.mountDirectory) }

    /// Says who it runs as; nil if it cannot be run by a user of the host.
    private func runByAUser(_ program: FilePath) async throws -> String? {
        let result = try await command([
            "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", "exec \(program) -u",
        ])
        return result.status == 0 ? result.output : nil
    }

    @Test func aSetUIDProgramOnAVolumeCannotBeReachedByPath() async throws {
        try await withFixture { fixture in
            try setMode(of: fixture.folder, to: 0o755)
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            let place = FilePath(try await driver.mount("web", id: "a"))
            let program = place.appending("program")
            let made = try await command(["sh", "-c", "chmod 755 \(place) && cp /usr/bin/id \(program) && chmod 4755 \(program)"])
            #expect(made.status == 0, "\(made)")
            #expect(try await runByAUser(program) == nil)
            // It is only the folder that keeps others away.
            try setMode(of: fixture.settings.mountDirectory, to: 0o711)
            #expect(try await runByAUser(program) == "0\n")
            try await driver.unmount("web", id: "a")
        }
    }

    @Test func whatAnEarlierVersionMadeIsTightened() async throws {
        try await withFixture { fixture in
            try makeFolders(fixture.settings.mountDirectory, mode: 0o711)
            _ = try fixture.start()
            #expect(try mode(fixture) == 0o700)
            #expect(MountFolderAccess(fixture.settings).finding().verdict == .ok)
            // Somebody has a reason.
            try setMode(of: fixture.settings.mountDirectory, to: 0o755)
            _ = try fixture.start()
            #expect(try mode(fixture) == 0o755)
            let finding = MountFolderAccess(fixture.settings).finding()
            #expect(finding.verdict == .warning && finding.detail.hasSuffix("chmod 700 \(fixture.settings.mountDirectory)"), "\(finding)")
        }
    }

    @Test(arguments: ["daemon.json", "docker/300000.300000"]) func anEngineThatMapsUsersCanPass(sign: String) async throws {
        try await withFixture { fixture in
            let volumes = try fixture.start()
            try #require(try mode(fixture) == 0o700)
            if sign.hasSuffix("json") {
                try replaceFile(fixture.folder.appending(sign), with: Array(#"{"userns-remap": "default"}"#.utf8))
            } else {
                try makeFolders(fixture.folder.appending(sign))
            }
            #expect(MountFolderAccess(fixture.settings).finding().verdict == .warning)
            // The engine that is set up so has been started.
            let running = Task { await volumes.run() }
            volumes.nfsd.activated()
            try await eventually("it can pass") { try mode(fixture) == 0o711 }
            volumes.shutDown()
            await running.value
            let finding = MountFolderAccess(fixture.settings).finding()
            #expect(finding.verdict == .ok && finding.detail.contains("userns-remap"), "\(finding)")
            _ = try fixture.start()
            #expect(try mode(fixture) == 0o711)
            // And is not any more.
            _ = try await command(["rm", "-r", fixture.folder.appending(sign).string])
            _ = try fixture.start()
            #expect(try mode(fixture) == 0o700)
        }
    }

    @Test(arguments: ["containers", "1.2.3", "1.", ".1", "a.1", "tmp-1.2"]) func otherFoldersOfDockerSayNothing(name: String) async throws {
        try await withFixture { fixture in
            try makeFolders(fixture.folder.appending("docker").appending(name))
            #expect(MountFolderAccess(fixture.settings).remapping() == nil)
        }
    }
}
