// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import KernelMount
import LinuxSystem
import Logging
import NFS
import StandIn
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// Creating and showing: nothing here mounts.
@Suite(.timeLimit(.minutes(5))) struct VolumeDriverTests {
    private let basis = ["server": "nas", "path": "/export"]

    private func refusal(_ body: () async throws -> Void) async throws -> String {
        let error = await #expect(throws: PluginError.self) { try await body() }
        let message = try #require(error).message
        #expect(!message.contains("\n"))
        return message
    }

    @Test func aVolumeIsDefinedAndShown() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: ["device": "nas:/export", "nfsvers": "4.2", "o": "hard", "subdir": "a"])
            let volume = try driver.get("web")
            #expect(volume.name == "web")
            #expect(volume.mountpoint == "")
            #expect(volume.createdAt?.hasSuffix("Z") == true)
            #expect(volume.status?["state"] == "not mounted")
            #expect(volume.status?["source"] == "nas:/export/a")
            #expect(volume.status?["requested"] == ["nfsvers": "4.2", "o": "hard", "path": "/export", "server": "nas", "subdir": "a"])
            #expect(volume.status?["references"] == 0)
            #expect(driver.list() == [volume])
            #expect(try driver.path(of: "web") == "")
            #expect(fixture.names("state/volumes") == ["web.json"])
            // Nothing is made on the host before it is mounted.
            #expect(fixture.names("mnt").isEmpty)
        }
    }

    /// A failing Get makes dockerd forget a volume, so trouble goes into Status.
    @Test func aKnownVolumeIsFoundWhateverIsWrongWithIt() async throws {
        try await withFixture { fixture in
            let drivers = try fixture.start()
            try await drivers.nfsd.create("web")
            let name = try #require(VolumeName("web"))
            try drivers.table.mountFailed(name, StorageError(.silent, "no answer"))
            drivers.table.change(name) { $0.busy = "process 7 is held" }
            #expect(drivers.locks.acquireIfFree(name), "as while a mount waits for its server")
            defer { drivers.locks.release(name) }
            let volume = try drivers.nfsd.get("web")
            #expect(volume.status?["state"] == "process 7 is held")
            #expect(volume.status?["lastFailureCode"] == "silent")
            #expect(try drivers.nfsd.path(of: "web") == "")
            #expect(drivers.nfsd.list() == [volume])
        }
    }

    @Test func whatDoesNotExistIsSaidTo() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            #expect(driver.list().isEmpty)
            for name in ["web", "", String(repeating: "x", count: 999), "../web"] {
                #expect(try await refusal { _ = try driver.get(name) } == "no such volume: \(name)")
                #expect(try await refusal { _ = try driver.path(of: name) } == "no such volume: \(name)")
                #expect(try await refusal { _ = try await driver.mount(name, id: "a") } == "no such volume: \(name)")
                #expect(try await refusal { try await driver.unmount(name, id: "a") } == "no such volume: \(name)")
                #expect(try await refusal { try await driver.remove(name) } == "no such volume: \(name)")
            }
        }
    }

    /// `docker compose up` creates anew at each start, and a second engine may too.
    @Test func creatingItAgainWithTheSameMeaningChangesNothing() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: basis.merging(["nfsvers": "4.2"]) { $1 })
            let before = try driver.get("web")
            let file = try readWholeFile(fixture.folder.appending("state/volumes/web.json"), limit: 10_000)
            try await driver.create("web", options: ["device": "nas://export/", "vers": "4.2"])
            #expect(try driver.get("web") == before)
            #expect(try readWholeFile(fixture.folder.appending("state/volumes/web.json"), limit: 10_000) == file)
        }
    }

    @Test func creatingItAgainOtherwiseSaysWhatDiffers() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: basis.merging(["nfsvers": "4.2"]) { $1 })
            let message = try await refusal {
                try await driver.create("web", options: basis.merging(["path": "/other", "o": "hard"]) { $1 })
            }
            #expect(
                message
                    == "volume web exists with other options: nfsvers=4.2 instead of (not set), o=(not set) instead of hard, path=/export instead of /other; remove it first (docker volume rm web), its data stay on the server"
            )
            #expect(try driver.get("web").status?["source"] == "nas:/export")
        }
    }

    @Test func theTwoDriverNamesHaveListsOfTheirOwn() async throws {
        try await withFixture { fixture in
            let volumes = try fixture.start()
            let (one, other) = (volumes.driver(named: "nfsd"), volumes.driver(named: "docker-nfsd"))
            try await one.create("web", options: basis)
            #expect(other.list().isEmpty)
            #expect(throws: PluginError("no such volume: web")) { try other.get("web") }
            await #expect(throws: PluginError("no such volume: web")) { try await other.remove("web") }
            let message = try await refusal { try await other.create("web", options: basis) }
            #expect(message == "volume web exists under the driver name nfsd; use that name, or remove it there first")
            try await other.create("mine", options: basis)
            #expect(one.list().map(\.name) == ["web"])
            #expect(other.list().map(\.name) == ["mine"])
        }
    }

    /// What is stored already is read all the same.
    @Test func aValueHasAtMostAPage() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            let longest = (0..<409).map { "x-word\($0 + 100)," }.joined() + "x-last"
            try #require(longest.utf8.count == 4096)
            try await driver.create("web", options: ["server": "nas", "path": "/a", "o": longest])
            for options in [["server": "nas", "path": "/a"], [:]] {
                let tooLong = options.merging(["o": String(repeating: "ro,", count: 32_764)]) { $1 }
                #expect(
                    try await refusal { try await driver.create("wide", options: tooLong) }
                        == "cannot create volume wide: option o is longer than 4096 bytes")
            }
            let stored = #"{"format":1,"name":"old","driver":"nfsd","createdAt":"2026-03-01T12:00:00Z","options":"#
            let options = #"{"server":"nas","path":"/a","o":"\#(longest),x-more"}}"#
            try replaceFile(fixture.folder.appending("state/volumes/old.json"), with: Array((stored + options).utf8))
            #expect(try fixture.start().nfsd.list().map(\.name).sorted() == ["old", "web"])
        }
    }

    @Test func whatCannotBeCreatedIsNotThere() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            #expect(
                try await refusal { try await driver.create("web", options: ["sever": "nas"]) }
                    == "cannot create volume web: unknown option sever; did you mean server?")
            #expect(
                try await refusal { try await driver.create("web", options: [:]) }
                    == "cannot create volume web: no options given; say what to mount: docker volume create -d nfsd --opt server=HOST --opt path=/EXPORT NAME"
            )
            for name in ["", String(repeating: "/", count: 70)] {
                #expect(try await refusal { try await driver.create(name, options: basis) }.hasPrefix("volume name is empty or too long"))
            }
            #expect(driver.list().isEmpty)
            #expect(fixture.names("state/volumes").isEmpty)
        }
    }

    /// The host's own options can contradict nothing of the volume's, but they are checked with them.
    @Test func theHostsOptionsAreCheckedWithTheVolumes() async throws {
        try await withFixture { plain in
            var fixture = plain
            var nfs = NFSSettings()
            nfs.mountOptions = "ro,rw"
            fixture.settings.volumes.kind = NFS(nfs)
            let driver = try fixture.start().nfsd
            #expect(
                try await refusal { try await driver.create("web", options: basis) }.contains(
                    "options ro and rw in o contradict each other"))
        }
    }

    @Test func aDefinitionThatCannotBeStoredIsNotThere() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try removeEmptyFolder(fixture.folder.appending("state/volumes"))
            let message = try await refusal { try await driver.create("web", options: basis) }
            #expect(message.hasPrefix("cannot create volume web: its definition cannot be stored: "))
            #expect(message.contains("ENOENT"))
            #expect(driver.list().isEmpty)
        }
    }

    @Test func ofManyWhoCreateAtOnceAllGetTheSame() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await withThrowingTaskGroup { group in
                for _ in 0..<32 { group.addTask { try await driver.create("web", options: basis) } }
                for index in 0..<32 { group.addTask { try await driver.create("v\(index)", options: basis) } }
                try await group.waitForAll()
            }
            #expect(driver.list().count == 33)
            #expect(fixture.names("state/volumes").count == 33)
        }
    }

    @Test func hostileNamesStayInTheirFolders() async throws {
        try await withFixture { fixture in
            let names = ["../../escape", "/etc/passwd", ".", "..", "a/b", "a\0b", "e\u{301}", "\u{e9}", "x.json.new"]
            let driver = try fixture.start().nfsd
            for name in names { try await driver.create(name, options: basis) }
            #expect(fixture.names("state/volumes").count == names.count)
            #expect(fixture.names("state") == ["damaged", "lock", "volumes"])
            let again = try fixture.start().nfsd
            #expect(Set(again.list().map { Array($0.name.utf8) }) == Set(names.map { Array($0.utf8) }))
            #expect(fixture.names("state/damaged").isEmpty)
            for name in names { try await again.remove(name) }
            #expect(again.list().isEmpty)
            #expect(fixture.names("state/volumes").isEmpty)
            #expect(fixture.names("") == ["mnt", "run", "state"])
        }
    }

    @Test func aRestartKnowsThemAll() async throws {
        try await withFixture { fixture in
            let before = try fixture.start()
            try await before.nfsd.create("web", options: basis.merging(["subdir": "a", "create": "true", "onremove": "archive"]) { $1 })
            try await before.driver(named: "docker-nfsd").create("other", options: ["type": "nfs", "device": "label:/x", "o": "addr=nas"])
            let after = try fixture.start()
            #expect(after.nfsd.list() == before.nfsd.list())
            #expect(after.driver(named: "docker-nfsd").list() == before.driver(named: "docker-nfsd").list())
            #expect(after.driver(named: "docker-nfsd").list().count == 1)
            #expect(fixture.log.contains("info 2 volumes known, 0 mounted, 0 references"))
        }
    }

    @Test func aRemovedVolumeIsGoneAndMayComeBackOtherwise() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: basis)
            try await driver.remove("web")
            #expect(driver.list().isEmpty)
            #expect(fixture.names("state/volumes").isEmpty)
            try await driver.create("web", options: ["server": "other", "path": "/"])
            #expect(try driver.get("web").status?["source"] == "other:/")
        }
    }

    @Test func theListIsOfThisHostOnly() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            #expect(driver.scope == .local)
        }
    }
}
