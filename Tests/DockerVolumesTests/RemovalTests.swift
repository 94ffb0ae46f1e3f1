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

@Suite(.needs(.root), .timeLimit(.minutes(5))) struct RemovalTests {
    private func refusal(_ body: () async throws -> Void) async throws -> String {
        let error = await #expect(throws: PluginError.self) { try await body() }
        let message = try #require(error).message
        #expect(!message.contains("\n"))
        return message
    }

    private func options(_ subdirectory: String, _ policy: String) -> [String: String] {
        ["device": "nas:/export", "subdir": subdirectory, "create": "true", "onremove": policy]
    }

    /// Creates a volume, puts a file into it and lets it go.
    private func fill(_ driver: NFSVolumeDriver, _ name: String, _ options: [String: String]) async throws {
        try await driver.create(name, options: options)
        let place = try await driver.mount(name, id: "filler")
        try replaceFile(FilePath(place).appending("file"), with: [1])
        try makeFolders(FilePath(place).appending("deep/deeper"))
        try await driver.unmount(name, id: "filler")
    }

    // MARK: Who uses it

    @Test func aVolumeInUseStays() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            _ = try await driver.mount("web", id: "a")
            #expect(try await refusal { try await driver.remove("web") } == "volume web is in use; stop what uses it first")
            #expect(try fixture.isMounted("web"))
            #expect(fixture.names("state/volumes") == ["web.json"])
            try await driver.unmount("web", id: "a")
            try await driver.remove("web")
            #expect(driver.list().isEmpty)
        }
    }

    @Test func theLeaksOfAnEarlierEngineDoNotKeepIt() async throws {
        try await withFixture { fixture in
            let volumes = try fixture.start()
            try await volumes.nfsd.create("web")
            _ = try await volumes.nfsd.mount("web", id: "a")
            let running = Task { await volumes.run() }
            volumes.nfsd.activated()
            try await eventually("the engine is counted", within: .seconds(200)) { volumes.engines.activation(of: "nfsd") == 1 }
            volumes.shutDown()
            await running.value
            try await volumes.nfsd.remove("web")
            #expect(volumes.nfsd.list().isEmpty)
            #expect(try !fixture.isMounted("web"))
            #expect(fixture.names("run/references").isEmpty)
            #expect(fixture.names("mnt").isEmpty)
            #expect(fixture.log.contains("notice volume web: 1 references that nobody uses are dropped"))
        }
    }

    @Test func whatAContainerOfAnEarlierEngineUsesStays() async throws {
        try await withFixture { fixture in
            let volumes = try fixture.start()
            try await volumes.nfsd.create("web")
            _ = try await volumes.nfsd.mount("web", id: "a")
            let inside = fixture.folder.appending("inside")
            try makeFolder(inside, mode: 0o700)
            let running = Task { await volumes.run() }
            volumes.nfsd.activated()
            try await eventually("the engine is counted", within: .seconds(200)) { volumes.engines.activation(of: "nfsd") == 1 }
            try await withUnshared("private", doing: "mount --bind \(fixture.place("web")) \(inside)") { container in
                let message = try await refusal { try await volumes.nfsd.remove("web") }
                #expect(message == "volume web is in use by \(FileUser(container)); stop it first")
                #expect(try fixture.isMounted("web"))
            }
            try await volumes.nfsd.remove("web")
            volumes.shutDown()
            await running.value
        }
    }

    /// An engine that could not reach the daemon when a container ended removes the container all the same.
    @Test func aReferenceOfAContainerThatDockerHasForgottenDoesNotKeepIt() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            _ = try await driver.mount("web", id: "one")
            try makeFolders(fixture.folder.appending("docker/containers/abc"))
            let file = fixture.folder.appending("docker/containers/abc/config.v2.json")
            try replaceFile(file, with: Array(#"{"Name":"/shop","MountPoints":{"/data":{"ID":"one"}}}"#.utf8))
            #expect(try await refusal { try await driver.remove("web") }.hasPrefix("volume web is in use"))
            try removeFile(file)
            try await driver.remove("web")
            #expect(driver.list().isEmpty)
            #expect(try !fixture.isMounted("web"))
        }
    }

    // MARK: Its data

    @Test func dataStayUnlessTheVolumeSaidOtherwise() async throws {
        try await withExport { fixture, export in
            let driver = try fixture.start().nfsd
            try await fill(driver, "web", options("a/b", "retain"))
            try await driver.remove("web")
            #expect(try namesInFolder(export.appending("a/b")) == ["deep", "file"])
        }
    }

    @Test func deletingTakesTheDirectoryAndNothingElse() async throws {
        try await withExport { fixture, export in
            let driver = try fixture.start().nfsd
            try makeFolders(export.appending("a/sibling"))
            try replaceFile(export.appending("outside"), with: [1])
            try await fill(driver, "web", options("a/b", "delete"))
            let linked = try await command(["ln", "-s", "../../outside", export.appending("a/b/link").string])
            #expect(linked.status == 0)
            try await driver.remove("web")
            #expect(driver.list().isEmpty)
            #expect(try namesInFolder(export.appending("a")) == ["sibling"])
            #expect(try namesInFolder(export) == ["a", "lost+found", "outside"])
            #expect(try MountTable().mounts(below: fixture.folder.appending("run").string).isEmpty)
            #expect(fixture.names("run/staging").isEmpty)
            #expect(fixture.log.contains("notice volume web: its directory a/b is deleted"))
        }
    }

    @Test func archivingKeepsTheDataUnderAnotherName() async throws {
        try await withExport { fixture, export in
            let driver = try fixture.start().nfsd
            try await fill(driver, "web", options("a/b", "archive"))
            try await driver.remove("web")
            let names = try namesInFolder(export.appending("a"))
            #expect(names.count == 1)
            let archive = try #require(names.first)
            #expect(archive.wholeMatch(of: /archived-b-\d{8}T\d{6}Z/) != nil)
            #expect(try namesInFolder(export.appending("a").appending(archive)) == ["deep", "file"])
            // A new volume of this name begins empty.
            try await driver.create("web", options: options("a/b", "archive"))
            let place = try await driver.mount("web", id: "a")
            #expect(try namesInFolder(FilePath(place)).isEmpty)
        }
    }

    @Test(arguments: ["delete", "archive"]) func aDirectoryThatIsGoneIsNoFailure(policy: String) async throws {
        try await withExport { fixture, export in
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: options("never/made", policy))
            try await driver.remove("web")
            #expect(driver.list().isEmpty)
            #expect(try namesInFolder(export) == ["lost+found"])
        }
    }

    /// The volume's own ro is about its users, not about its end.
    @Test func aLinkInThePlaceOfTheDirectoryIsNotFollowed() async throws {
        try await withExport { fixture, export in
            let driver = try fixture.start().nfsd
            try makeFolders(export.appending("victim/inner"))
            try await driver.create("web", options: options("b", "delete"))
            let linked = try await command(["ln", "-s", "victim", export.appending("b").string])
            #expect(linked.status == 0)
            let message = try await refusal { try await driver.remove("web") }
            #expect(message.hasPrefix("cannot remove volume web: onremove=delete of b: "))
            #expect(try namesInFolder(export.appending("victim")) == ["inner"])
            #expect(driver.list().count == 1)
            #expect(fixture.names("run/staging").isEmpty)
        }
    }

    @Test(arguments: [
        ("a/b", ["device": "nas:/export", "subdir": "a/b"]), ("a/b", ["device": "nas:/export", "subdir": "a"]),
        ("a", ["device": "nas:/export", "subdir": "a/b"]),
        // The same directory, with another border between path and subdir.
        ("a/b", ["device": "nas:/export/a", "subdir": "b"]), ("a", ["device": "nas:/export/a", "subdir": "b/c"]),
        // An export of its own: the directory itself, or below it.
        ("a", ["device": "nas:/export/a"]), ("a", ["device": "nas:/export/a/b"]),
    ])
    func aDirectoryThatAnotherVolumeSharesStays(subdirectory: String, other: [String: String]) async throws {
        try await withExport { fixture, export in
            let driver = try fixture.start().nfsd
            try await fill(driver, "web", options(subdirectory, "delete"))
            try await driver.create("other", options: other)
            let message = try await refusal { try await driver.remove("web") }
            #expect(
                message
                    == "cannot remove volume web: onremove=delete would touch the directory of volume other, which shares it; remove that volume first"
            )
            #expect(try namesInFolder(export.appending(subdirectory)) == ["deep", "file"])
            #expect(Set(driver.list().map(\.name)) == ["other", "web"])
            try await driver.remove("other")
            try await driver.remove("web")
            #expect(!(try namesInFolder(export).contains(subdirectory)))
        }
    }

    @Test(arguments: [
        ["device": "nas:/export", "subdir": "a/bb"], ["device": "nas:/export", "subdir": "a/c"],
        ["device": "other:/export", "subdir": "a/b"], ["device": "nas:/else", "subdir": "a/b"],
    ])
    func aNeighbourIsNoObstacle(other: [String: String]) async throws {
        try await withExport { fixture, export in
            let driver = try fixture.start().nfsd
            try await fill(driver, "web", options("a/b", "delete"))
            try await driver.create("other", options: other)
            try await driver.remove("web")
            #expect(try namesInFolder(export.appending("a")).isEmpty)
        }
    }

    @Test func anExportThatCannotBeMountedKeepsTheVolume() async throws {
        try await withFixture(standIn: "nosuchfs:x") { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: options("a", "delete"))
            let message = try await refusal { try await driver.remove("web") }
            #expect(message.hasPrefix("cannot remove volume web: onremove=delete needs its export: cannot mount nas:/export: "))
            #expect(driver.list().count == 1)
            #expect(fixture.names("state/volumes") == ["web.json"])
            #expect(fixture.names("run/staging").isEmpty)
        }
    }

    @Test func whatIsNotFinishedInTimeIsToldToGoOn() async throws {
        try await withExport { plain, export in
            try await fill(plain.start().nfsd, "web", options("a", "delete"))
            let made = try await command(["sh", "-c", "cd \(export)/a && seq 1 1000 | xargs touch && seq 1 400 | xargs -I N mkdir -p dN/e"])
            try #require(made.status == 0, "\(made)")
            var fixture = plain
            fixture.settings.volumes.removal = .milliseconds(5)
            var wasUnfinished = false
            while true {
                let driver = try fixture.start().nfsd
                #expect(driver.list().count == 1)
                do throws(PluginError) {
                    try await driver.remove("web")
                    #expect(driver.list().isEmpty)
                    break
                } catch {
                    if error.message.contains("; run docker volume rm again to go on") { wasUnfinished = true }
                    #expect(error.message.contains("cannot remove volume web: onremove=delete "))
                }
                #expect(fixture.names("run/staging").isEmpty)
                fixture.settings.volumes.removal *= 2
                try #require(fixture.settings.volumes.removal < .seconds(60))
            }
            #expect(wasUnfinished)
            #expect(try namesInFolder(export) == ["lost+found"])
        }
    }
}
