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

@Suite(.timeLimit(.minutes(5))) struct MountHoldersTests {
    /// Which is learned after the mount, from the engine's files.
    @Test(.needs(.root)) func theNameOfAHolderIsShownFromWhenItIsKnown() async throws {
        try await withFixture { fixture in
            let volumes = try fixture.start()
            try await volumes.nfsd.create("web")
            _ = try await volumes.nfsd.mount("web", id: "a")
            #expect(try volumes.nfsd.get("web").status?["heldBy"] == [["id": "a", "count": 1]])
            volumes.table.nameHolders(["a": "shop"])
            #expect(try volumes.nfsd.get("web").status?["heldBy"] == [["id": "a", "count": 1, "container": "shop"]])
        }
    }

    @Test(.needs(.root)) func aContainerThatHasItMountedIsFound() async throws {
        try await withFixture { fixture in
            let (place, inside) = (fixture.place("v"), fixture.folder.appending("inside"))
            try fixture.mountByHand(at: place)
            try makeFolder(inside, mode: 0o700)
            let entry = try #require(try fixture.mounts("v").first)
            #expect(MountHolders.process(holding: entry) == nil)
            try await withUnshared("private", doing: "mount --bind \(place) \(inside)") { container in
                #expect(MountHolders.process(holding: entry) == container)
                // Another part of the same file system is another volume.
                var other = entry
                other.root = "/other"
                #expect(MountHolders.process(holding: other) == nil)
            }
            #expect(MountHolders.process(holding: entry) == nil)
        }
    }

    /// Docker's volume-subpath mounts a directory of the volume.
    @Test(.needs(.root)) func aContainerThatHasAPartOfItIsFound() async throws {
        try await withFixture { fixture in
            let (place, inside) = (fixture.place("v"), fixture.folder.appending("inside"))
            try fixture.mountByHand(at: place)
            try makeFolders(place.appending("a/part"))
            try makeFolder(inside, mode: 0o700)
            let entry = try #require(try fixture.mounts("v").first)
            try await withUnshared("private", doing: "mount --bind \(place)/a/part \(inside)") { container in
                #expect(MountHolders.process(holding: entry) == container)
                for (root, isHeld) in [("/a", true), ("/a/part", true), ("/a/par", false), ("/a/part/deeper", false)] {
                    var part = entry
                    part.root = root
                    #expect((MountHolders.process(holding: part) == container) == isHeld)
                }
            }
        }
    }

    /// Every service with a namespace of its own has it at the same place; that is no use of it.
    @Test(.needs(.root)) func aMereCopyOfTheNamespaceHoldsNothing() async throws {
        try await withFixture { fixture in
            try fixture.mountByHand(at: fixture.place("v"))
            let entry = try #require(try fixture.mounts("v").first)
            try await withUnshared("slave") { service in
                let table = try MountTable(of: service)
                #expect(table.topmost(at: entry.mountPoint) != nil)
                #expect(MountHolders.process(holding: entry) == nil)
            }
        }
    }

    @Test func dockersFilesTellTheContainersNames() async throws {
        try await withFixture { fixture in
            func put(_ id: String, _ text: String) throws {
                try makeFolders(fixture.folder.appending("docker/containers/\(id)"))
                try replaceFile(fixture.folder.appending("docker/containers/\(id)/config.v2.json"), with: Array(text.utf8))
            }
            try put("aaa", #"{"Name":"/web","MountPoints":{"/data":{"ID":"one","Name":"v"},"/more":{"ID":"two"},"/tmp":{"Type":"tmpfs"}}}"#)
            try put("bbb", #"{"MountPoints":{"/data":{"ID":"three"},"/bind":{"ID":""}}}"#)
            try put("ccc", "{")
            try put("ddd", #"{"Name":"/none","MountPoints":null}"#)
            try makeFolders(fixture.folder.appending("docker/containers/empty"))
            let names = DockerContainers(dataRoot: fixture.folder.appending("docker")).namesByMountID()
            #expect(names == ["one": "web", "two": "web", "three": "bbb"])
            #expect(DockerContainers(dataRoot: fixture.folder.appending("none")).namesByMountID().isEmpty)
        }
    }

    /// With `userns-remap` they are in a folder that is named after the mapped ids, and with `data-root` elsewhere.
    @Test func dockersFilesAreFoundWhereDockerHasThem() async throws {
        try await withFixture { fixture in
            func put(_ root: String, _ id: String) throws {
                try makeFolders(fixture.folder.appending("\(root)/containers/\(id)"))
                let config = #"{"Name":"/\#(id)","MountPoints":{"/data":{"ID":"of-\#(id)"}}}"#
                try replaceFile(fixture.folder.appending("\(root)/containers/\(id)/config.v2.json"), with: Array(config.utf8))
            }
            try put("moved/231072.231072", "remapped")
            try put("moved", "plain")
            try put("moved/not.numbers", "other")
            let given = DockerContainers(dataRoot: fixture.folder.appending("moved"))
            #expect(given.namesByMountID() == ["of-remapped": "remapped", "of-plain": "plain"])
            #expect(given.knowsAny(of: ["of-remapped"]) && !given.knowsAny(of: ["of-other"]))
            var settings = EngineSettings()
            settings.daemonFile = fixture.folder.appending("daemon.json")
            #expect(DockerContainers(settings).namesByMountID()["of-remapped"] == nil)
            try replaceFile(settings.daemonFile, with: Array(#"{"data-root": "\#(fixture.folder)/moved"}"#.utf8))
            #expect(DockerContainers(settings).namesByMountID()["of-remapped"] == "remapped")
            // What is given to this daemon holds over Docker's own settings.
            settings.dataRoot = fixture.folder.appending("none")
            #expect(DockerContainers(settings).folders.isEmpty)
        }
    }

    /// What is not known for certain runs.
    @Test(arguments: [
        (#"{"Running":true,"Pid":7}"#, false), (#"{"Running":false,"Pid":0}"#, true), (#"{"Running":false}"#, true),
        // It waits to be restarted.
        (#"{"Running":true,"Restarting":true,"Pid":0}"#, true), ("{}", false), ("null", false), (#"{"Running":"no"}"#, false),
    ])
    func dockersFilesTellWhetherAContainerRuns(state: String, isStopped: Bool) async throws {
        try await withFixture { fixture in
            try makeFolders(fixture.folder.appending("docker/containers/aaa"))
            let config = #"{"State":\#(state),"MountPoints":{"/data":{"ID":"one"}}}"#
            try replaceFile(fixture.folder.appending("docker/containers/aaa/config.v2.json"), with: Array(config.utf8))
            let containers = DockerContainers(dataRoot: fixture.folder.appending("docker"))
            #expect(containers.isStopped(mountID: "one") == isStopped)
            #expect(!containers.isStopped(mountID: "two"))
            #expect(containers.knowsAny(of: ["two", "one"]))
            #expect(!containers.knowsAny(of: ["two"]))
            #expect(!containers.knowsAny(of: []))
            // One that cannot be read may be the one.
            try makeFolders(fixture.folder.appending("docker/containers/bbb"))
            let damaged = fixture.folder.appending("docker/containers/bbb/config.v2.json")
            try replaceFile(damaged, with: Array(#"{"Image":1,"MountPoints":{"/data":{"ID":"two"}}}"#.utf8))
            #expect(containers.knowsAny(of: ["two"]))
            // Where Docker keeps its files elsewhere, nothing can be told.
            #expect(DockerContainers(dataRoot: fixture.folder.appending("none")).knowsAny(of: ["two"]))
        }
    }
}

extension DockerContainers {
    fileprivate init(dataRoot: FilePath) {
        var settings = EngineSettings()
        settings.dataRoot = dataRoot
        self.init(settings)
    }
}
