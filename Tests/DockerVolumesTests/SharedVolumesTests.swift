// SPDX-License-Identifier: AGPL-3.0-or-later

import Dispatch
import DockerPluginAPI
import JSON
import LinuxSystem
import KernelMount
import StandIn
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// Hosts with one share between them. A file system on a loop device stands in for the server.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct SharedVolumesTests {
    /// Creates one volume on several hosts at once.
    ///
    /// - Returns: what each wanted, and how it was refused.
    private func race(to name: String, _ wishes: [(host: Host, mode: String)]) async -> [(mode: String, refusal: String?)] {
        await withTaskGroup { group in
            for (host, mode) in wishes {
                group.addTask { () -> (mode: String, refusal: String?) in
                    do {
                        try await host.driver.create(name, options: ["mode": mode])
                        return (mode, nil)
                    } catch {
                        return (mode, "\(error)")
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    // MARK: One volume on all hosts

    @Test func whatOneHostCreatesTheOtherHas() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: [:])
            #expect(a.names == ["web"] && b.names == [])
            b.read()
            #expect(b.names == ["web"])
            #expect(try a.driver.get("web").createdAt == b.driver.get("web").createdAt)
            #expect(try b.driver.get("web").status?["share"]?.stringValue == "nas:/export")
            try await a.fill("web")
            let place = try await b.driver.mount("web", id: "1")
            #expect(try namesInFolder(FilePath(place)) == ["file"])
            try await b.driver.unmount("web", id: "1")
            #expect(try namesInFolder(export.appending("web")) == ["file"])
            #expect(a.driver.scope == .global)
        }
    }

    @Test(arguments: MountMethod.allCases) func everyWayToMountReachesTheCatalogue(method: MountMethod) async throws {
        try await withHosts { a, b, _ in
            var fixture = a.fixture
            fixture.settings.volumes.mountMethod = method
            let volumes = try fixture.start()
            try await volumes.nfsd.create("web", options: ["onremove": "delete"])
            b.read()
            #expect(b.names == ["web"])
            #expect(volumes.shared.follower.readCatalogue())
            try await volumes.nfsd.remove("web")
            #expect(try MountTable().mounts(below: fixture.folder.string).isEmpty)
            #expect(fixture.names("run/staging").isEmpty)
        }
    }

    @Test func aHostThatHasNotLookedYetTakesTheVolumeWhenItCreatesIt() async throws {
        try await withHosts { a, b, _ in
            try await a.driver.create("web", options: ["mode": "0700", "onremove": "archive"])
            try await b.driver.create("web", options: [:])
            #expect(try b.driver.get("web").status?["requested"]?["mode"]?.stringValue == "0700")
            try await b.driver.create("web", options: ["mode": "00700", "onremove": "archive"])
            let message = try await refusal { try await b.driver.create("web", options: ["mode": "0755"]) }
            #expect(message.contains("volume web exists on the share nas:/export with other options"))
            #expect(message.contains("mode=0700 instead of 0755") && message.contains("onremove=archive instead of (not set)"))
        }
    }

    @Test func ofHostsThatCreateAtOnceExactlyOneWins() async throws {
        try await withHosts { a, b, export in
            for round in 1...20 {
                let name = "v\(round)"
                let results = await race(to: name, [(a, "0700"), (b, "0711"), (a, "0700"), (b, "0711")])
                let winners = Set(results.filter { $0.refusal == nil }.map(\.mode))
                #expect(winners.count == 1 && results.filter { $0.refusal == nil }.count == 2, "\(results)")
                #expect(results.compactMap(\.refusal).allSatisfy { $0.contains("with other options: mode=") }, "\(results)")
                a.read()
                b.read()
                for host in [a, b] {
                    let shown = try host.driver.get(name)
                    #expect(shown.status?["requested"]?["mode"]?.stringValue == winners.first)
                }
            }
            let files = try namesInFolder(export.appending(".docker-nfsd/volumes"))
            #expect(files == (1...20).map { "v\($0).json" }.sorted())
        }
    }

    @Test func volumesWithAServerOfTheirOwnAreTheirHosts() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("own")
            try await a.driver.create("web", options: [:])
            b.read()
            #expect(b.names == ["web"])
            #expect(try namesInFolder(export.appending(".docker-nfsd/volumes")) == ["web.json"])
            // A volume of this host hides one of the share, and stays what it is.
            try await b.driver.create("own", options: [:])
            a.read()
            #expect(try a.driver.get("own").status?["share"] == nil)
            #expect(a.fixture.log.contains("warning volume own of nas:/export is not seen here"))
        }
    }

    // MARK: A share in trouble

    @Test func aDeadShareChangesNothingThatIsKnown() async throws {
        try await withHosts { a, b, _ in
            try await a.driver.create("web", options: [:])
            b.read()
            var fixture = b.fixture
            fixture.settings.volumes.kind = try #require(StandIn("ext4:/dev/nothing"))
            let restarted = try fixture.start()
            #expect(restarted.nfsd.list().map(\.name) == ["web"])
            #expect(!restarted.shared.follower.readCatalogue() && !restarted.shared.follower.readCatalogue())
            #expect(restarted.nfsd.list().map(\.name) == ["web"])
            #expect(fixture.log.all.filter { $0.contains("the share's catalogue cannot be read") }.count == 1)
            let message = try await refusal { try await restarted.nfsd.create("new", options: [:]) }
            #expect(message.hasPrefix("cannot create volume new: cannot mount nas:/export"), "\(message)")
            _ = try await refusal { try await restarted.nfsd.remove("web") }
            #expect(restarted.nfsd.list().map(\.name) == ["web"])
            // Volumes with a server of their own have nothing to do with it.
            try await restarted.nfsd.create("own")
        }
    }

    /// An export whose own disk is not mounted on the server is an empty directory.
    @Test func anExportWithoutACatalogueIsTakenForTheWrongOne() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: [:])
            try renameFile(export.appending(".docker-nfsd"), to: export.appending("elsewhere"))
            #expect(!a.volumes.shared.follower.readCatalogue())
            #expect(a.names == ["web"])
            #expect(a.fixture.log.contains("warning", "is the right file system exported there?"))
            #expect(
                try await refusal { try await a.driver.create("new", options: [:]) }.contains("is the right file system exported there?"))
            #expect(try namesInFolder(export).contains(".docker-nfsd") == false)
            try renameFile(export.appending("elsewhere"), to: export.appending(".docker-nfsd"))
            a.read()
            #expect(a.names == ["web"] && a.fixture.log.contains("notice the catalogue of nas:/export can be read again"))
            // A host that knows of none may begin.
            try renameFile(export.appending(".docker-nfsd"), to: export.appending("elsewhere"))
            b.read()
            try await b.driver.create("first", options: [:])
            #expect(try namesInFolder(export.appending(".docker-nfsd/volumes")) == ["first.json"])
        }
    }

    /// Mounting is no better than looking: it would make the volume's directory on the server's own disk.
    @Test(arguments: MountMethod.allCases) func nothingIsMountedFromAnExportWithoutACatalogue(method: MountMethod) async throws {
        try await withHosts { a, _, export in
            try await a.driver.create("web", options: [:])
            try renameFile(export.appending(".docker-nfsd"), to: export.appending("elsewhere"))
            var fixture = a.fixture
            fixture.settings.volumes.mountMethod = method
            let volumes = try fixture.start()
            let message = try await refusal { _ = try await volumes.nfsd.mount("web", id: "1") }
            #expect(message.contains(".docker-nfsd") && message.contains("is the right file system exported there"), "\(message)")
            #expect(try namesInFolder(export) == ["elsewhere", "lost+found"])
            #expect(try MountTable().mounts(below: fixture.folder.string).isEmpty)
            try renameFile(export.appending("elsewhere"), to: export.appending(".docker-nfsd"))
            _ = try await volumes.nfsd.mount("web", id: "1")
            try await volumes.nfsd.unmount("web", id: "1")
        }
    }

    /// A host that knew of no volume has begun a catalogue where the share's disk belongs.
    @Test(arguments: MountMethod.allCases) func anotherCatalogueIsNotTakenForTheOneThatIsKnown(method: MountMethod) async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            a.read()
            try renameFile(export.appending(".docker-nfsd"), to: export.appending("elsewhere"))
            try await b.driver.create("other", options: [:])
            var fixture = a.fixture
            fixture.settings.volumes.mountMethod = method
            for host in [Host(fixture: fixture, volumes: a.volumes), Host(fixture: fixture, volumes: try fixture.start())] {
                #expect(!host.volumes.shared.follower.readCatalogue())
                #expect(host.names == ["web"] && fixture.log.contains("another catalogue than the one that this host knows"))
                for message in [
                    try await refusal { _ = try await host.driver.mount("web", id: "1") },
                    try await refusal { try await host.driver.create("new", options: [:]) },
                    try await refusal { try await host.driver.remove("web") },
                ] { #expect(message.contains("is the right file system exported there"), "\(message)") }
                #expect(try namesInFolder(export.appending(".docker-nfsd/volumes")) == ["other.json"])
                #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
                #expect(try namesInFolder(export) == [".docker-nfsd", "elsewhere", "lost+found"])
            }
            let plain = try fixture.start()
            // Unless somebody says that it is.
            let identity = try #require(try namesInFolder(export.appending("elsewhere")).first { $0.hasPrefix("id.") })
            try makeFolder(export.appending(".docker-nfsd").appending(identity), mode: 0o700)
            #expect(plain.shared.follower.readCatalogue())
            #expect(plain.nfsd.list().map(\.name) == ["other"])
        }
    }

    @Test func aVolumeThatNobodyMarksIsNotMountedFromAnotherCatalogue() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: [:])
            try renameFile(export.appending(".docker-nfsd"), to: export.appending("elsewhere"))
            try await b.driver.create("other", options: [:])
            let message = try await refusal { _ = try await a.driver.mount("web", id: "1") }
            #expect(message.contains("has no .docker-nfsd/id.") && message.contains("is the right file system"), "\(message)")
            #expect(try namesInFolder(export) == [".docker-nfsd", "elsewhere", "lost+found"])
        }
    }

    @Test func aCatalogueOfEarlierVersionsGetsAnIdentityWithTheNextVolume() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: [:])
            func identities() throws -> [String] { try namesInFolder(export.appending(".docker-nfsd")).filter { $0.hasPrefix("id.") } }
            try removeEmptyFolder(export.appending(".docker-nfsd").appending(try #require(try identities().first)))
            try removeFile(a.fixture.settings.volumes.stateDirectory.appending("shares.json"))
            let again = try a.restarted()
            again.read()
            b.read()
            #expect(again.names == ["web"] && b.names == ["web"])
            try await again.driver.create("new", options: [:])
            #expect(try identities().count == 1)
            b.read()
            try await b.driver.create("third", options: [:])
            #expect(try identities().count == 1)
            #expect(try b.identity == again.identity)
            #expect(try b.identity != nil)
        }
    }

    @Test func aShareThatTheKernelHoldsIsLeftAlone() async throws {
        try await withHosts { a, _, _ in
            let share = try Share("nas:/export")
            let waiting = DispatchSemaphore(value: 0)
            a.volumes.shared.blocked.block(share, because: "process 7, killed, is still held by the kernel in mount") { waiting.wait() }
            #expect(!a.volumes.shared.follower.readCatalogue())
            let message = try await refusal { try await a.driver.create("web", options: [:]) }
            #expect(
                message
                    == "cannot create volume web: nas:/export cannot be used now: process 7, killed, is still held by the kernel in mount")
            // Its end is nobody's business.
            let running = Task { await a.volumes.run() }
            a.volumes.shutDown()
            await running.value
            waiting.signal()
            try await eventually("it is free") { a.volumes.shared.blocked.reason(share) == nil }
            try await a.driver.create("web", options: [:])
        }
    }

    @Test func afterTheLimitOfARequestNothingIsTried() async throws {
        try await withHosts { a, _, _ in
            try await a.driver.create("web", options: [:])
            let late = try a.volumes.shared.access.catalogue(of: try Share("nas:/export"), until: Deadline(after: .zero))
            let error = #expect(throws: StorageError.self) { try late.definitions.definition(of: try #require(VolumeName("web"))) }
            #expect(error?.description.contains("no time was left") == true)
        }
    }

    /// As when a compose project with several volumes starts on a host that has none yet.
    @Test func manyFirstVolumesAtOnce() async throws {
        try await withHosts { a, b, export in
            try await withThrowingTaskGroup { group in
                for index in 1...12 { group.addTask { try await a.driver.create("v\(index)", options: [:]) } }
                try await group.waitForAll()
            }
            #expect(a.names.count == 12)
            #expect(try namesInFolder(export.appending(".docker-nfsd/volumes")).count == 12)
            let restarted = try a.restarted()
            restarted.read()
            b.read()
            #expect(restarted.names == a.names && b.names == a.names)
        }
    }

    @Test func whatACreationLeftThatWasCutShortIsRemoved() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: [:])
            let folder = export.appending(".docker-nfsd/volumes")
            for draft in [".host-a.17.new", ".host-b.18.new"] { try replaceFile(folder.appending(draft), with: [1]) }
            a.read()
            #expect(try namesInFolder(folder).sorted() == [".host-b.18.new", "web.json"])
            // One that is under way.
            b.volumes.shared.follower.memory.withLock { $0.creations = (begun: 1, running: 1) }
            b.read()
            #expect(try namesInFolder(folder).sorted() == [".host-b.18.new", "web.json"])
            try b.restarted().read()
            #expect(try namesInFolder(folder) == ["web.json"])
        }
    }

    @Test func whatSomebodyElseWroteIntoTheCatalogueHarmsNothing() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: [:])
            let folder = export.appending(".docker-nfsd/volumes")
            let good = try readWholeFile(folder.appending("web.json"), limit: 1 << 16)
            try replaceFile(folder.appending("garbage.json"), with: [0, 1, 2, 255])
            try replaceFile(folder.appending("other.json"), with: good)
            try replaceFile(folder.appending("huge.json"), with: [UInt8](repeating: 0x20, count: 1 << 20))
            try makeFolder(folder.appending("folder.json"), mode: 0o700)
            let script = "ln -s /etc/passwd link.json && mkfifo fifo.json && mknod zero.json c 1 5 && touch '.x.new'"
            let made = try await command(["sh", "-c", "cd \(folder) && \(script)"])
            #expect(made.status == 0)
            b.read()
            #expect(b.names == ["web"])
            for file in ["garbage", "other", "huge", "folder", "link", "fifo", "zero"] {
                #expect(b.fixture.log.contains("error", ".docker-nfsd/volumes/\(file).json cannot be used"), "\(file)")
            }
            // They are looked at and not opened.
            for file in ["folder", "link", "fifo", "zero"] {
                #expect(b.fixture.log.contains("\(file).json cannot be used: it is not a file"), "\(b.fixture.log.all)")
            }
            let message = try await refusal { try await b.driver.create("garbage", options: [:]) }
            #expect(message.contains("garbage.json is damaged"), "\(message)")
            // Each is in the log once, and none is a reason to read all others again.
            for _ in 1...3 { b.read() }
            #expect(b.fixture.log.all.filter { $0.contains("cannot be used") }.count == 7)
            #expect(b.volumes.shared.follower.memory.withLock { $0.isConfirmed })
            // One that is corrected in place, which the folder does not show.
            let corrected = try await command(
                [
                    "sh", "-c",
                    "sed 's/\"web\"/\"other\"/' \(folder)/web.json > \(folder)/garbage.json; cat \(folder)/garbage.json > \(folder)/other.json",
                ])
            #expect(corrected.status == 0)
            b.read()
            #expect(b.names == ["other", "web"])
            // A known volume whose file is damaged later stays as it was.
            try replaceFile(folder.appending("web.json"), with: [1])
            b.read()
            #expect(b.names == ["other", "web"])
        }
    }

    // MARK: While the daemon runs

    @Test func aVolumeThatIsAskedForIsLookedFor() async throws {
        try await withHosts { a, b, _ in
            var fixture = b.fixture
            fixture.settings.catalogue.refresh = .seconds(3600)
            let following = try fixture.start()
            let running = Task { await following.run() }
            try await eventually("a look is done") { !following.shared.marks.memory.withLock { $0.hasReadMarks.isEmpty } }
            try await a.driver.create("web", options: [:])
            try await eventually("it is found") { (try? following.nfsd.get("web")) != nil }
            following.shutDown()
            await running.value
        }
    }
}
