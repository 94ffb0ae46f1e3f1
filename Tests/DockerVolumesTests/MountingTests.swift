// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON
import LinuxSystem
import KernelMount
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

@Suite(.needs(.root), .timeLimit(.minutes(5))) struct MountingTests {
    @Test func theFirstReferenceMountsAndTheLastUnmounts() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            let place = try await driver.mount("web", id: "a")
            #expect(place == fixture.place("web").string)
            let mounted = try fixture.mounts("web")
            #expect(mounted.count == 1)
            #expect(mounted[0].options.contains("noatime"))
            #expect(try driver.get("web").mountpoint == place)
            #expect(try driver.path(of: "web") == place)
            #expect(try driver.get("web").status?["state"] == "mounted")
            #expect(try await driver.mount("web", id: "b") == place)
            #expect(try fixture.mounts("web") == mounted)
            #expect(try driver.get("web").status?["references"] == 2)
            try await driver.unmount("web", id: "a")
            #expect(try fixture.mounts("web") == mounted)
            try await driver.unmount("web", id: "b")
            #expect(try fixture.mounts("web").isEmpty)
            #expect(try driver.get("web").mountpoint == "")
            #expect(try driver.get("web").status?["references"] == 0)
            try await eventually("the folder is removed") { fixture.names("mnt").isEmpty }
            #expect(fixture.names("run/references").isEmpty)
        }
    }

    /// Docker copies the image's folder into an empty volume before the first start, and with it mode and owner, even of an empty folder.
    @Test func modeAndOwnerHoldWhileTheDirectoryIsEmpty() async throws {
        try await withExport { fixture, export in
            func status(_ path: FilePath) throws -> [UInt32] {
                var status = stat()
                try #require(lstat(path.string, &status) == 0)
                return [status.st_mode & 0o7777, status.st_uid, status.st_gid]
            }
            /// What Docker does between its own mount and unmount.
            func copyUp(_ place: String) throws {
                try #require(chown(place, 0, 0) == 0)
                try #require(chmod(place, 0o755) == 0)
            }
            let driver = try fixture.start().nfsd
            let asked = ["server": "nas", "path": "/export", "create": "true"]
            try await driver.create(
                "special", options: asked.merging(["subdir": "special", "mode": "02770", "uid": "1000", "gid": "1000"]) { $1 })
            try await driver.create("plain", options: asked.merging(["subdir": "plain"]) { $1 })
            var place = try await driver.mount("special", id: "copy")
            #expect(try status(FilePath(place)) == [0o2770, 1000, 1000])
            try copyUp(place)
            try await driver.unmount("special", id: "copy")
            #expect(try status(export.appending("special")) == [0o2770, 1000, 1000])
            place = try await driver.mount("special", id: "run")
            // While a container has it, another one is made.
            _ = try await driver.mount("special", id: "copy")
            try copyUp(place)
            try await driver.unmount("special", id: "copy")
            #expect(try status(FilePath(place)) == [0o2770, 1000, 1000])
            try copyUp(place)
            _ = try await driver.mount("special", id: "other")
            #expect(try status(FilePath(place)) == [0o2770, 1000, 1000])
            // What is in use is not touched.
            try replaceFile(FilePath(place).appending("file"), with: [1])
            try copyUp(place)
            try await driver.unmount("special", id: "other")
            #expect(try status(FilePath(place)) == [0o755, 0, 0])
            try await driver.unmount("special", id: "run")
            // A volume that asks for nothing gets what Docker copies, as the image of a database needs it.
            place = try await driver.mount("plain", id: "copy")
            try #require(chmod(place, 0o700) == 0)
            try await driver.unmount("plain", id: "copy")
            place = try await driver.mount("plain", id: "run")
            #expect(try status(FilePath(place)) == [0o700, 0, 0])
            try await driver.unmount("plain", id: "run")
        }
    }

    /// Docker has given up by then, and would not unmount what is mounted after that.
    @Test func theTimeInLineCountsForTheLimitOfAMount() async throws {
        try await withFixture { plain in
            var fixture = plain
            fixture.settings.volumes.limits.mount = .milliseconds(100)
            let volumes = try fixture.start()
            try await volumes.nfsd.create("web")
            let name = try #require(VolumeName("web"))
            try #require(volumes.locks.acquireIfFree(name))
            async let message = refusal { _ = try await volumes.nfsd.mount("web", id: "a") }
            try await Task.sleep(for: .milliseconds(300))
            volumes.locks.release(name)
            let said = try await message
            #expect(said.contains("no time was left for it"), "\(said)")
            #expect(try fixture.mounts("web").isEmpty)
            #expect(try volumes.nfsd.get("web").status?["references"] == 0)
        }
    }

    /// `docker cp`: two mounts and two unmounts more, all with the ID of the container that runs.
    @Test func copyingFromAContainerDoesNotUnmountItsVolume() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            for _ in 0..<3 { _ = try await driver.mount("web", id: "container") }
            for _ in 0..<2 { try await driver.unmount("web", id: "container") }
            #expect(try fixture.isMounted("web"))
            #expect(try driver.get("web").status?["heldBy"] == [["id": "container", "count": 1]])
            try await driver.unmount("web", id: "container")
            #expect(try !fixture.isMounted("web"))
        }
    }

    /// A caller that leaves while this waits in line cancels the answer, not the release.
    @Test func aReleaseHappensEvenIfTheCallerLeft() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            _ = try await driver.mount("web", id: "a")
            #expect(await driver.volumes.locks.acquire(VolumeName("web")!) == .acquired)
            let leaving = Task.immediate { try await driver.unmount("web", id: "a") }
            leaving.cancel()
            driver.volumes.locks.release(VolumeName("web")!)
            try await leaving.value
            #expect(try !fixture.isMounted("web"))
            #expect(try driver.get("web").status?["references"] == 0)
        }
    }

    /// A killed engine has not unmounted, and mounts with the same ID when it starts the container again.
    @Test(arguments: [(#"{"Running":false,"Pid":0}"#, 1), (#"{"Running":true,"Pid":7}"#, 2)])
    func aContainerThatStartsAgainIsNotCountedTwice(state: String, expected: Int) async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            _ = try await driver.mount("web", id: "one")
            _ = try await driver.mount("web", id: "other")
            try makeFolders(fixture.folder.appending("docker/containers/abc"))
            let config = #"{"State":\#(state),"MountPoints":{"/data":{"ID":"one"}}}"#
            try replaceFile(fixture.folder.appending("docker/containers/abc/config.v2.json"), with: Array(config.utf8))
            _ = try await driver.mount("web", id: "one")
            #expect(
                try driver.get("web").status?["heldBy"] == [["id": "one", "count": JSONValue(expected)], ["id": "other", "count": 1]])
        }
    }

    /// Docker may repeat itself, and an engine that came back does not know all.
    @Test func unmountingWhatIsNotHeldIsNoFailure() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            try await driver.unmount("web", id: "nobody")
            _ = try await driver.mount("web", id: "a")
            try await driver.unmount("web", id: "nobody")
            #expect(try fixture.isMounted("web"))
            try await driver.unmount("web", id: "a")
            try await driver.unmount("web", id: "a")
            #expect(try !fixture.isMounted("web"))
        }
    }

    @Test func twoAtOnceMakeOneMount() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            let places = try await withThrowingTaskGroup { group in
                for index in 0..<16 { group.addTask { try await driver.mount("web", id: "\(index)") } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(places == [fixture.place("web").string])
            #expect(try fixture.mounts("web").count == 1)
            try await withThrowingTaskGroup { group in
                for index in 0..<16 { group.addTask { try await driver.unmount("web", id: "\(index)") } }
                try await group.waitForAll()
            }
            #expect(try fixture.mounts("web").isEmpty)
        }
    }

    @Test func thirtyTwoVolumesAtOnce() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            let names = (0..<32).map { "volume/\($0)" }
            for name in names { try await driver.create(name) }
            try await withThrowingTaskGroup { group in
                for name in names { group.addTask { _ = try await driver.mount(name, id: "a") } }
                try await group.waitForAll()
            }
            for name in names { #expect(try fixture.mounts(name).count == 1) }
            #expect(fixture.names("mnt").count == 32)
            try await withThrowingTaskGroup { group in
                for name in names { group.addTask { try await driver.unmount(name, id: "a") } }
                try await group.waitForAll()
            }
            #expect(try MountTable().mounts(below: fixture.folder.string).isEmpty)
            try await eventually("the folders are removed") { fixture.names("mnt").isEmpty }
        }
    }

    // MARK: The place

    /// What a container writes while nothing is mounted must not land on the local disk unseen.
    @Test func theFolderBelowTheMountCannotBeUsed() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            _ = try await driver.mount("web", id: "a")
            let result = try await command(["umount", fixture.place("web").string])
            #expect(result.status == 0, "\(result)")
            let modes = try await command(["stat", "-c", "%a %u", fixture.place("web").string, fixture.settings.mountDirectory.string])
            #expect(modes.output == "0 0\n700 0\n")
        }
    }

    @Test func aFolderThatWasThereBeforeGetsModeAndOwnerToo() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            try makeFolders(fixture.place("web"))
            try setMode(of: fixture.place("web"), to: 0o777)
            _ = try await driver.mount("web", id: "a")
            let result = try await command(["umount", fixture.place("web").string])
            #expect(result.status == 0, "\(result)")
            let modes = try await command(["stat", "-c", "%a %u", fixture.place("web").string])
            #expect(modes.output == "0 0\n")
        }
    }

    @Test func localFilesInTheFolderAreNotMountedOver() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            try makeFolders(fixture.place("web").appending("precious"))
            let message = try await refusal { _ = try await driver.mount("web", id: "a") }
            #expect(message.contains("it holds local files: move them away, then try again"))
            #expect(try !fixture.isMounted("web"))
            #expect(fixture.names("mnt/web") == ["precious"])
            #expect(fixture.names("run/references").isEmpty)
        }
    }

    @Test func aMountOfSomebodyElseIsNotTakenForOurs() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            try fixture.mountByHand(at: fixture.place("web"), fileSystem: "ramfs")
            let message = try await refusal { _ = try await driver.mount("web", id: "a") }
            #expect(message.hasPrefix("cannot mount volume web: "))
            #expect(message.contains("ramfs of somebody else is mounted there: unmount it"))
            #expect(try fixture.mounts("web").map(\.fileSystem) == ["ramfs"])
        }
    }

    @Test func theMountFolderIsMadeAgain() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            try removeEmptyFolder(fixture.settings.mountDirectory)
            _ = try await driver.mount("web", id: "a")
            #expect(try fixture.isMounted("web"))
        }
    }

    @Test func whatSomebodyUnmountedIsMountedAgain() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            _ = try await driver.mount("web", id: "a")
            try await command(["umount", fixture.place("web").string])
            _ = try await driver.mount("web", id: "b")
            #expect(try fixture.mounts("web").count == 1)
            #expect(try driver.get("web").status?["references"] == 2)
            #expect(fixture.log.contains("warning volume web was unmounted by somebody else"))
            try await command(["umount", fixture.place("web").string])
            try await driver.unmount("web", id: "a")
            try await driver.unmount("web", id: "b")
            #expect(try driver.get("web").mountpoint == "")
            try await eventually("the folder is removed") { fixture.names("mnt").isEmpty }
        }
    }

    // MARK: Failures

    @Test func aFailureLeavesNothingAndIsShown() async throws {
        try await withFixture(standIn: "nosuchfs:x") { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            let message = try await refusal { _ = try await driver.mount("web", id: "a") }
            #expect(message.hasPrefix("cannot mount nas:/export: "))
            let volume = try driver.get("web")
            #expect(volume.mountpoint == "")
            #expect(volume.status?["references"] == 0)
            #expect(volume.status?["lastFailure"]?.stringValue?.hasSuffix(message) == true)
            #expect(volume.status?["lastFailureCode"] == "no-kernel-support")
            #expect(fixture.log.contains("notice volume web could not be mounted (no-kernel-support)"))
            #expect(fixture.names("mnt").isEmpty)
            #expect(fixture.names("run/references").isEmpty)
        }
    }

    /// The daemon may have been restarted since, and `docker-nfsd status` reads files only.
    @Test func aFailureIsKeptUntilASuccessOrTheRemoval() async throws {
        try await withFixture { fixture in
            func shown() throws -> (volume: JSONValue?, text: String) {
                let report = try StatusReport(settings: fixture.settings, logger: fixture.logger)
                return (report.json["volumes"]?.arrayValue?.first, report.text)
            }
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: ["device": "nas:/a", "subdir": "missing"])
            #expect(try shown().volume?["lastFailure"] == nil)
            let message = try await refusal { _ = try await driver.mount("web", id: "a") }
            #expect(fixture.names("run/failures") == ["web.json"])
            #expect(try shown().volume?["lastFailure"]?.stringValue?.hasSuffix(message) == true)
            #expect(try shown().volume?["lastFailureCode"] == "subdirectory")
            #expect(try shown().text.contains("\(message) (subdirectory)\n"))
            let again = try fixture.start().nfsd
            #expect(try again.get("web").status?["lastFailureCode"] == "subdirectory")
            try replaceFile(fixture.folder.appending("run/failures/web.json"), with: Array("{".utf8))
            #expect(try fixture.start().nfsd.get("web").status?["lastFailure"] == nil)
            try await again.remove("web")
            #expect(fixture.names("run/failures").isEmpty)
        }
    }

    @Test func aSuccessEndsTheFailure() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: ["device": "nas:/a", "subdir": "missing"])
            _ = try await refusal { _ = try await driver.mount("web", id: "a") }
            #expect(try driver.get("web").status?["lastFailure"] != nil)
            #expect(try driver.get("web").status?["lastFailureCode"] == "subdirectory")
            try await driver.remove("web")
            try await driver.create("web", options: ["device": "nas:/a", "subdir": "missing", "create": "true"])
            _ = try await driver.mount("web", id: "a")
            #expect(try driver.get("web").status?["lastFailure"] == nil)
            #expect(try driver.get("web").status?["lastFailureCode"] == nil)
            #expect(fixture.names("run/failures").isEmpty)
        }
    }

    /// Without it a restart would unmount below the container.
    @Test func aReferenceThatCannotBeStoredIsNotGiven() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            try removeEmptyFolder(fixture.folder.appending("run/references"))
            let message = try await refusal { _ = try await driver.mount("web", id: "a") }
            #expect(message.hasPrefix("cannot mount volume web: its reference cannot be stored: "))
            #expect(try !fixture.isMounted("web"))
            #expect(try driver.get("web").status?["references"] == 0)
        }
    }

    /// Docker sends no unmount for a mount whose answer it did not wait for.
    @Test func aCallerThatLeftHoldsNothing() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            for _ in 0..<20 {
                let late = Task {
                    withUnsafeCurrentTask { $0?.cancel() }
                    return try await driver.mount("web", id: "a")
                }
                let message = try await refusal { _ = try await late.value }
                #expect(message.contains("the caller has gone"))
                #expect(try !fixture.isMounted("web"))
                #expect(try driver.get("web").status?["references"] == 0)
                #expect(fixture.names("run/references").isEmpty)
            }
        }
    }

    @Test func aCallerThatLeftDoesNotTakeOthersMountsAlong() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            _ = try await driver.mount("web", id: "a")
            let late = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await driver.mount("web", id: "a")
            }
            _ = try await refusal { _ = try await late.value }
            #expect(try fixture.isMounted("web"))
            #expect(try driver.get("web").status?["references"] == 1)
        }
    }
}
