// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// What a daemon makes of what an earlier one left: by its end, by a kill, by an engine that was killed.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct ReconciliationTests {
    /// Lets the daemon do what it does beside answering, while the body runs.
    private func whileRunning(_ volumes: VolumeDrivers, _ body: () async throws -> Void) async throws {
        let running = Task { await volumes.run() }
        do {
            try await body()
        } catch {
            Issue.record(error)
        }
        volumes.shutDown()
        await running.value
    }

    private func files(_ fixture: Fixture) throws -> VolumeFiles {
        try VolumeFiles(
            state: fixture.settings.volumes.stateDirectory, runtime: fixture.settings.volumes.runtimeDirectory,
            kind: fixture.settings.volumes.kind)
    }

    // MARK: The start

    @Test func aRestartTakesOverMountsAndReferences() async throws {
        try await withFixture { fixture in
            let before = try fixture.start().nfsd
            try await before.create("web")
            _ = try await before.mount("web", id: "a")
            _ = try await before.mount("web", id: "a")
            let mounted = try fixture.mounts("web")
            let volumes = try fixture.start()
            let after = volumes.nfsd
            // What was heard of the server is in memory only.
            let shown = try [after, before].map { try $0.get("web") }
            let status = shown.map { $0.status?.members.filter { $0.key != "health" } }
            #expect(status[0] != nil && String(describing: status[0]) == String(describing: status[1]))
            #expect(shown[0].mountpoint == shown[1].mountpoint && shown[0].createdAt == shown[1].createdAt)
            #expect(fixture.log.contains("info volume web: mounted, 2 references taken over"))
            try await whileRunning(volumes) {
                _ = try await after.mount("web", id: "b")
                for id in ["a", "b"] { try await after.unmount("web", id: id) }
                #expect(try fixture.mounts("web") == mounted)
                try await after.unmount("web", id: "a")
                #expect(try !fixture.isMounted("web"))
            }
        }
    }

    @Test func referencesWithoutAMountAreSaidAndMountedAgain() async throws {
        try await withFixture { fixture in
            let before = try fixture.start().nfsd
            try await before.create("web")
            _ = try await before.mount("web", id: "a")
            try await command(["umount", fixture.place("web").string])
            let after = try fixture.start().nfsd
            #expect(fixture.log.contains("warning volume web: 1 references, but it is not mounted any more"))
            #expect(try after.get("web").mountpoint == "")
            _ = try await after.mount("web", id: "b")
            #expect(try fixture.mounts("web").count == 1)
            #expect(try after.get("web").status?["references"] == 2)
        }
    }

    @Test func referencesToNoVolumeAreDropped() async throws {
        try await withFixture { fixture in
            var held = References()
            held.retain("a", activation: 0, now: 1)
            try files(fixture).write(held, of: VolumeName("gone")!)
            #expect(try fixture.start().nfsd.list().isEmpty)
            #expect(fixture.names("run/references").isEmpty)
            #expect(fixture.log.contains("warning 1 references to volume gone, which does not exist, are dropped"))
        }
    }

    /// A container must not be told that somebody else's mount is its volume.
    @Test func aMountOfAnotherKindIsNotTakenOver() async throws {
        try await withFixture { fixture in
            try await fixture.start().nfsd.create("web")
            try fixture.mountByHand(at: fixture.place("web"), fileSystem: "ramfs")
            let after = try fixture.start().nfsd
            #expect(try after.get("web").mountpoint == "")
            #expect(try after.get("web").status?["state"] == "not mounted")
        }
    }

    /// It may be the whole export, left by a daemon that was killed before it got to the volume's subdirectory.
    @Test func aMountWithoutAReferenceIsNotGivenToAContainer() async throws {
        try await withFixture { fixture in
            try await fixture.start().nfsd.create("web")
            try fixture.mountByHand(at: fixture.place("web"))
            let after = try fixture.start().nfsd
            #expect(try await after.mount("web", id: "a") == fixture.place("web").string)
            #expect(try fixture.mounts("web").map(\.source) == ["nas:/export"])
            #expect(!fixture.log.contains("by somebody else"))
            #expect(try after.get("web").status?["references"] == 1)
        }
    }

    /// Other references do not make it right.
    @Test func theExportIsNotGivenInThePlaceOfASubdirectory() async throws {
        try await withFixture { fixture in
            let before = try fixture.start().nfsd
            try await before.create("web", options: ["device": "nas:/export", "subdir": "a/b", "create": "true"])
            _ = try await before.mount("web", id: "a")
            try await command(["umount", fixture.place("web").string])
            try fixture.mountByHand(at: fixture.place("web"))
            let after = try fixture.start().nfsd
            _ = try await after.mount("web", id: "b")
            #expect(try fixture.mounts("web").map(\.root) == ["/a/b"])
            #expect(try after.get("web").status?["references"] == 2)
        }
    }

    // MARK: Tidying

    @Test func aMountWithoutAReferenceIsUnmounted() async throws {
        try await withFixture { fixture in
            try await fixture.start().nfsd.create("web")
            try fixture.mountByHand(at: fixture.place("web"))
            let volumes = try fixture.start()
            #expect(try volumes.nfsd.get("web").mountpoint != "")
            try await whileRunning(volumes) {
                try await eventually("the mount is gone", within: .seconds(200)) { try !fixture.isMounted("web") }
                try await eventually("its folder is gone", within: .seconds(200)) { fixture.names("mnt").isEmpty }
            }
            #expect(try volumes.nfsd.get("web").mountpoint == "")
            #expect(fixture.log.contains("notice volume web: mounted without a reference; unmounting it"))
        }
    }

    @Test func aMountWithoutAReferenceThatAContainerUsesStays() async throws {
        try await withFixture { fixture in
            try await fixture.start().nfsd.create("web")
            try fixture.mountByHand(at: fixture.place("web"))
            let inside = fixture.folder.appending("inside")
            try makeFolder(inside, mode: 0o700)
            try await withUnshared("private", doing: "mount --bind \(fixture.place("web")) \(inside)") { container in
                try await whileRunning(try fixture.start()) {
                    try await eventually("it is said", within: .seconds(200)) {
                        fixture.log.contains(
                            "warning volume web: mounted without a reference, and process \(container) uses it; left as it is")
                    }
                }
                #expect(try fixture.isMounted("web"))
            }
        }
    }

    @Test func whatBelongsToNoVolumeIsCleanedUp() async throws {
        try await withFixture { fixture in
            try await fixture.start().nfsd.create("web")
            let folder = fixture.settings.mountDirectory
            try fixture.mountByHand(at: folder.appending("unknown"))
            try fixture.mountByHand(at: folder.appending("foreign"), fileSystem: "ramfs")
            try fixture.mountByHand(at: fixture.folder.appending("run/staging/mount-1"))
            try makeFolders(fixture.folder.appending("run/staging/empty"))
            try makeFolder(folder.appending("stale"), mode: 0)
            try makeFolders(folder.appending("full/precious"))
            let volumes = try fixture.start()
            _ = try await volumes.nfsd.mount("web", id: "a")
            try await whileRunning(volumes) {
                try await eventually("only what must stay is there", within: .seconds(200)) {
                    fixture.names("mnt") == ["foreign", "full", "web"] && fixture.names("run/staging").isEmpty
                }
                try await eventually("what stays is said", within: .seconds(200)) {
                    fixture.log.contains("warning ", "mnt/full is not the folder of a volume", "ENOTEMPTY")
                }
            }
            #expect(
                try Set(MountTable().mounts(below: fixture.folder.string).map(\.mountPoint)) == [
                    fixture.place("web").string, folder.appending("foreign").string,
                ])
            #expect(fixture.names("mnt/full") == ["precious"])
            #expect(fixture.log.contains("warning by hand is mounted at ", "mnt/foreign, which belongs to no volume; left as it is"))
            #expect(fixture.log.contains("notice by hand was mounted at ", "mnt/unknown, which belongs to no volume; unmounted"))
        }
    }

    // MARK: Engines

    @Test func theFolderOfAVolumeThatIsNotMountedGoes() async throws {
        try await withFixture { fixture in
            let before = try fixture.start().nfsd
            for name in ["cut", "full", "held"] { try await before.create(name) }
            let place = try await before.mount("held", id: "1")
            try makeFolder(fixture.place("cut"), mode: 0)
            try makeFolder(fixture.place("full"), mode: 0)
            try replaceFile(fixture.place("full").appending("file"), with: [1])
            let volumes = try fixture.start()
            try await whileRunning(volumes) {
                try await eventually("the folder is gone") { fixture.names("mnt") == ["full", "held"] }
                #expect(try await volumes.nfsd.mount("cut", id: "1") == fixture.place("cut").string)
                #expect(try await volumes.nfsd.mount("held", id: "1") == place)
                for name in ["cut", "held", "held"] { try await volumes.nfsd.unmount(name, id: "1") }
            }
        }
    }

    @Test func eachActivationIsAnotherEngineAndOutlivesARestart() async throws {
        try await withFixture { fixture in
            let volumes = try fixture.start()
            try await whileRunning(volumes) {
                for count in 1...3 {
                    volumes.nfsd.activated()
                    try await eventually("engine \(count) is counted", within: .seconds(200)) {
                        volumes.engines.activation(of: "nfsd") == count
                    }
                }
                try await eventually("it is stored", within: .seconds(200)) {
                    try ActivationFile(runtime: fixture.settings.volumes.runtimeDirectory).read() == ["nfsd": 3]
                }
            }
            #expect(volumes.engines.activation(of: "docker-nfsd") == 0)
            #expect(try fixture.start().engines.activation(of: "nfsd") == 3)
        }
    }

    /// An engine that is killed never sends its unmounts. When nobody but the dead is left, the volume is let go.
    @Test func theLastOfTheLivingTakesTheDeadAlong() async throws {
        try await withFixture { fixture in
            let before = try fixture.start().nfsd
            try await before.create("web")
            _ = try await before.mount("web", id: "new")
            let files = try files(fixture)
            var held = References()
            held.retain("dead", activation: 0, now: -1_000_000)
            held.retain("new", activation: 1, now: secondsSinceBoot())
            try files.write(held, of: VolumeName("web")!)
            try ActivationFile(runtime: fixture.settings.volumes.runtimeDirectory).write(["nfsd": 1])
            let after = try fixture.start().nfsd
            #expect(try after.get("web").status?["references"] == 2)
            try await after.unmount("web", id: "new")
            #expect(try !fixture.isMounted("web"))
            #expect(try after.get("web").status?["references"] == 0)
            #expect(fixture.log.contains("notice volume web: 1 references of an engine that has ended are dropped; no process uses them"))
        }
    }

    /// Live-restore: the engine is another one, and the containers are the same.
    @Test func whatAContainerStillUsesIsNotTakenForDead() async throws {
        try await withFixture { fixture in
            let before = try fixture.start().nfsd
            try await before.create("web")
            _ = try await before.mount("web", id: "new")
            let files = try files(fixture)
            var held = References()
            held.retain("living", activation: 0, now: -1_000_000)
            held.retain("new", activation: 1, now: secondsSinceBoot())
            try files.write(held, of: VolumeName("web")!)
            try ActivationFile(runtime: fixture.settings.volumes.runtimeDirectory).write(["nfsd": 1])
            let inside = fixture.folder.appending("inside")
            try makeFolder(inside, mode: 0o700)
            try await withUnshared("private", doing: "mount --bind \(fixture.place("web")) \(inside)") { _ in
                let after = try fixture.start().nfsd
                try await after.unmount("web", id: "new")
                #expect(try fixture.isMounted("web"))
                #expect(try after.get("web").status?["references"] == 1)
            }
        }
    }

    @Test func containersAreFoundInDockersFiles() async throws {
        try await withFixture { fixture in
            let volumes = try fixture.start()
            try await volumes.nfsd.create("web")
            try makeFolders(fixture.folder.appending("docker/containers/abc"))
            let config = #"{"Name":"/shop","MountPoints":{"/data":{"ID":"one"}}}"#
            try replaceFile(fixture.folder.appending("docker/containers/abc/config.v2.json"), with: Array(config.utf8))
            try await whileRunning(volumes) {
                _ = try await volumes.nfsd.mount("web", id: "one")
                try await eventually("the container is named", within: .seconds(200)) {
                    try volumes.nfsd.get("web").status?["heldBy"] == [["id": "one", "count": 1, "container": "shop"]]
                }
            }
        }
    }
}
