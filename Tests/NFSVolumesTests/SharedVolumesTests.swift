// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import NFSMount
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import NFSVolumes

/// Hosts with one share between them. A file system on a loop device stands in for the server.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct SharedVolumesTests {
    private func refusal(_ body: () async throws -> Void) async throws -> String {
        let error = await #expect(throws: PluginError.self) { try await body() }
        let message = try #require(error).message
        #expect(!message.contains("\n"))
        return message
    }

    /// Two hosts, each as after its start.
    private func withHosts(_ body: (_ a: Host, _ b: Host, _ export: FilePath) async throws -> Void) async throws {
        try await withExport { fixture, export in
            let (a, b) = (try fixture.host("host-a"), try fixture.host("host-b"))
            try await body(Host(fixture: a, volumes: try a.start()), Host(fixture: b, volumes: try b.start()), export)
        }
    }

    private struct Host {
        let fixture: Fixture
        let volumes: NFSVolumes
        var driver: NFSVolumeDriver { volumes.nfsd }
        var names: [String] { driver.list().map(\.name).sorted() }

        /// Looks at the catalogue as it does now and then.
        func read() { #expect(volumes.readCatalogue(), "\(fixture.log.all)") }

        func fill(_ name: String) async throws {
            let place = try await driver.mount(name, id: "filler")
            try replaceFile(FilePath(place).appending("file"), with: [1])
            try await driver.unmount(name, id: "filler")
        }
    }

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
            fixture.settings.mountMethod = method
            let volumes = try fixture.start()
            try await volumes.nfsd.create("web", options: ["onremove": "delete"])
            b.read()
            #expect(b.names == ["web"])
            #expect(volumes.readCatalogue())
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
            try await b.driver.create("web", options: ["mode": "700", "onremove": "archive"])
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

    // MARK: Removal

    @Test func whatOneHostRemovesIsGoneOnTheOther() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: [:])
            try await a.fill("web")
            b.read()
            try await b.driver.remove("web")
            #expect(a.names == ["web"])
            a.read()
            #expect(a.names == [] && a.fixture.names("state/volumes").isEmpty)
            #expect(try namesInFolder(export.appending("web")) == ["file"])
        }
    }

    @Test func aHostKeepsWhatItUsesUntilItIsFree() async throws {
        try await withHosts { a, b, _ in
            try await a.driver.create("web", options: [:])
            b.read()
            _ = try await b.driver.mount("web", id: "1")
            try await a.driver.remove("web")
            try await a.driver.create("web", options: ["mode": "0700"])
            b.read()
            #expect(try b.driver.get("web").status?["requested"]?["mode"]?.stringValue == "0755")
            #expect(try b.fixture.isMounted("web"))
            try await b.driver.unmount("web", id: "1")
            b.read()
            #expect(try b.driver.get("web").status?["requested"]?["mode"]?.stringValue == "0700")
            try await a.driver.remove("web")
            b.read()
            #expect(b.names == [])
        }
    }

    @Test(arguments: ["archive", "delete"])
    func dataAreNotTouchedWhileAnotherHostHasThem(policy: String) async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": policy])
            try await a.fill("web")
            b.read()
            _ = try await b.driver.mount("web", id: "1")
            let message = try await refusal { try await a.driver.remove("web") }
            #expect(message.contains("host host-b has it mounted"), "\(message)")
            #expect(message.contains("nas:/export/.docker-nfsd/uses/use.web.host-b"), "\(message)")
            a.read()
            #expect(a.names == ["web"] && FilePath(export.string).hasFile("web/file"))
            try await b.driver.unmount("web", id: "1")
            b.read()
            a.read()
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            try await a.driver.remove("web")
            #expect(!export.hasFile("web/file"))
            #expect(try namesInFolder(export).contains { $0.hasPrefix("archived-web-") } == (policy == "archive"))
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            b.read()
            #expect(b.names == [])
        }
    }

    /// A removal that was cut short: what is left may not be mounted as if nothing had happened, and any host can finish it.
    @Test func halfRemovedDataAreNotMounted() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            try await a.fill("web")
            a.read()
            b.read()
            try a.volumes.catalogue(try Share("nas:/export")).beginRemoval(try #require(VolumeName("web")))
            let message = try await refusal { _ = try await b.driver.mount("web", id: "1") }
            #expect(message.contains("its data are being removed by host host-a"), "\(message)")
            #expect(try !b.fixture.isMounted("web"))
            try await b.driver.remove("web")
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            #expect(!export.hasFile("web/file"))
        }
    }

    @Test func marksThatAPowerCutLeftAreTakenBack() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            b.read()
            try b.volumes.catalogue(try Share("nas:/export")).markUse(try #require(VolumeName("web")))
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == ["use.web.host-b"])
            let again = Host(fixture: b.fixture, volumes: try b.fixture.start())
            again.read()
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            try await a.driver.remove("web")
        }
    }

    // MARK: A share in trouble

    @Test func aDeadShareChangesNothingThatIsKnown() async throws {
        try await withHosts { a, b, _ in
            try await a.driver.create("web", options: [:])
            b.read()
            var fixture = b.fixture
            fixture.settings.standIn = NFSMounter.StandIn("ext4:/dev/nothing")
            let restarted = try fixture.start()
            #expect(restarted.nfsd.list().map(\.name) == ["web"])
            #expect(!restarted.readCatalogue() && !restarted.readCatalogue())
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
            #expect(!a.volumes.readCatalogue())
            #expect(a.names == ["web"])
            #expect(a.fixture.log.contains("warning", "is the right file system exported there?"))
            #expect(
                try await refusal { try await a.driver.create("new", options: [:]) }.contains("is the right file system exported there?"))
            #expect(try namesInFolder(export).contains(".docker-nfsd") == false)
            try renameFile(export.appending("elsewhere"), to: export.appending(".docker-nfsd"))
            a.read()
            #expect(a.names == ["web"] && a.fixture.log.contains("notice the catalogue of nas:/export can be read again"))
            // A host that knows of none may begin.
            #expect(b.volumes.readCatalogue())
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
            let made = try await command(["sh", "-c", "cd \(folder) && ln -s /etc/passwd link.json && mkfifo fifo.json && touch '.x.new'"])
            #expect(made.status == 0)
            b.read()
            #expect(b.names == ["web"])
            for file in ["garbage", "other", "huge", "folder", "link", "fifo"] {
                #expect(b.fixture.log.contains("error", ".docker-nfsd/volumes/\(file).json cannot be used"), "\(file)")
            }
            let message = try await refusal { try await b.driver.create("garbage", options: [:]) }
            #expect(message.contains("garbage.json is damaged"), "\(message)")
            // A known volume whose file is damaged later stays as it was.
            try replaceFile(folder.appending("web.json"), with: [1])
            b.read()
            #expect(b.names == ["web"])
        }
    }

    // MARK: Settings that change

    @Test func withoutTheShareItsVolumesAreStillThisHosts() async throws {
        try await withHosts { a, _, export in
            try await a.driver.create("web", options: [:])
            try await a.driver.create("data", options: ["onremove": "delete"])
            var fixture = a.fixture
            fixture.settings.share = nil
            let without = try fixture.start()
            #expect(without.nfsd.scope == .local && without.nfsd.list().count == 2)
            _ = try await without.nfsd.mount("web", id: "1")
            try await without.nfsd.unmount("web", id: "1")
            try await without.nfsd.remove("web")
            #expect(try await refusal { try await without.nfsd.remove("data") }.contains("remove it on a host that has the share"))
            #expect(try namesInFolder(export.appending(".docker-nfsd/volumes")) == ["data.json", "web.json"])
            #expect(
                try await refusal { try await without.nfsd.create("new", options: [:]) }.hasPrefix("cannot create volume new: no options"))
        }
    }

    @Test func anotherShareHasOtherVolumes() async throws {
        try await withHosts { a, _, _ in
            try await a.driver.create("web", options: [:])
            try await withExport { other, _ in
                var fixture = a.fixture
                fixture.settings.share = try Share("nas2:/export")
                fixture.settings.standIn = other.settings.standIn
                let moved = try fixture.start()
                #expect(moved.readCatalogue())
                #expect(moved.nfsd.list().map(\.name) == ["web"], "there is no catalogue yet, so nothing is known of it")
                try await moved.nfsd.create("new", options: [:])
                #expect(moved.readCatalogue())
                #expect(moved.nfsd.list().map(\.name) == ["new"])
            }
        }
    }

    // MARK: While the daemon runs

    @Test func aVolumeThatIsAskedForIsLookedFor() async throws {
        try await withHosts { a, b, _ in
            var fixture = b.fixture
            fixture.settings.shareRefresh = .seconds(3600)
            let following = try fixture.start()
            let running = Task { await following.run() }
            try await eventually("the first look is done") { following.state.withLock { $0.catalogue.isRead } }
            try await a.driver.create("web", options: [:])
            try await eventually("it is found") { (try? following.nfsd.get("web")) != nil }
            following.shutDown()
            await running.value
        }
    }
}

extension FilePath {
    fileprivate func hasFile(_ relative: String) -> Bool { (try? readWholeFile(appending(relative), limit: 1 << 20)) != nil }
}
