// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON
import LinuxSystem
import KernelMount
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// The end of volumes that several hosts have.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct SharedRemovalTests {
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

    /// One host removes a directory while another defines a volume inside it. Whichever is first, the other is refused.
    @Test(arguments: ["web/inner", "web"]) func oneHostRemovesWhatAnotherDefines(directory: String) async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            try await a.fill("web")
            a.read()
            try await b.driver.create("inner", options: ["subdir": directory])
            // The first host has not looked since.
            #expect(a.names == ["web"])
            let late = try await refusal { try await a.driver.remove("web") }
            #expect(late.contains("would touch the directory of volume inner"), "\(late)")
            #expect(export.hasFile("web/file"))
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            try await b.driver.remove("inner")

            #expect(try a.catalogue().marks.beginRemoval(try #require(VolumeName("web"))))
            let early = try await refusal { try await b.driver.create("inner", options: ["subdir": directory]) }
            #expect(early.contains("its directory is being removed with volume web by host host-a"), "\(early)")
            #expect(try namesInFolder(export.appending(".docker-nfsd/volumes")) == ["web.json"])
            try await b.driver.create("beside", options: ["subdir": "webs"])
            try await a.driver.remove("web")
            try await b.driver.create("inner", options: ["subdir": directory])
        }
    }

    /// A removal that was cut short: what is left may not be mounted as if nothing had happened, and any host can finish it.
    @Test func halfRemovedDataAreNotMounted() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            try await a.fill("web")
            a.read()
            b.read()
            #expect(try a.catalogue().marks.beginRemoval(try #require(VolumeName("web"))))
            let a = try a.restarted()
            a.read()
            let message = try await refusal { _ = try await b.driver.mount("web", id: "1") }
            #expect(message.contains("its data are being removed by host host-a"), "\(message)")
            #expect(try !b.fixture.isMounted("web"))
            try await b.driver.remove("web")
            #expect(!export.hasFile("web/file"))
            // The other host may still be at work, as far as anybody knows, and a new volume's data would be in its way.
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == ["removing.web.host-a"])
            let early = try await refusal { try await b.driver.create("web", options: [:]) }
            #expect(early.contains("an earlier volume of this name are being removed by host host-a"), "\(early)")
            a.read()
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            try await b.driver.create("web", options: [:])
        }
    }

    /// The mark is taken back only where the volume has gone: half of what is still there is for nobody.
    @Test func anUnfinishedRemovalStaysOneAfterARestart() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            #expect(try a.catalogue().marks.beginRemoval(try #require(VolumeName("web"))))
            let again = try a.restarted()
            again.read()
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == ["removing.web.host-a"])
            try await again.driver.remove("web")
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
        }
    }

    @Test func marksThatAPowerCutLeftAreTakenBack() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            b.read()
            try b.catalogue().marks.markUse(try #require(VolumeName("web")))
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == ["use.web.host-b"])
            let again = Host(fixture: b.fixture, volumes: try b.fixture.start())
            again.read()
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            try await a.driver.remove("web")
        }
    }

    // MARK: What fails half-way

    /// A file that cannot be deleted, as one of another owner below root_squash.
    private func makeFile(_ path: FilePath, isFixed: Bool) async throws {
        try replaceFile(path, with: [1])
        try await fix(path, isFixed)
    }

    private func fix(_ path: FilePath, _ isFixed: Bool) async throws {
        let done = try await command(["chattr", isFixed ? "+i" : "-i", path.string])
        try #require(done.status == 0, "\(done)")
    }

    @Test func aRemovalThatHasTouchedNothingIsGivenUp() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            b.read()
            try makeFolder(export.appending("web"), mode: 0o755)
            try await makeFile(export.appending("web/fixed"), isFixed: true)
            let message = try await refusal { try await a.driver.remove("web") }
            #expect(message.hasSuffix("; correct it on the server, then try again"), "\(message)")
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            _ = try await b.driver.mount("web", id: "1")
            try await b.driver.unmount("web", id: "1")
            try await fix(export.appending("web/fixed"), false)
        }
    }

    @Test func halfDeletedDataAreForNobody() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            b.read()
            try await a.fill("web")
            a.read()
            try await makeFile(export.appending("web/fixed"), isFixed: true)
            let message = try await refusal { try await a.driver.remove("web") }
            #expect(
                message.contains("a part of the data is gone") && message.hasSuffix("until then no host mounts the volume"), "\(message)")
            #expect(try namesInFolder(export.appending("web")) == ["fixed"])
            // The next one deletes nothing, and takes nothing back of what the first one said.
            _ = try await refusal { try await a.driver.remove("web") }
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == ["removing.web.host-a"])
            for host in [a, b] {
                #expect(try await refusal { _ = try await host.driver.mount("web", id: "1") }.contains("being removed by host host-a"))
            }
            try await fix(export.appending("web/fixed"), false)
            try await a.driver.remove("web")
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            #expect(try namesInFolder(export) == [".docker-nfsd", "lost+found"])
        }
    }

    @Test func aMarkWhoseMakerLearnedNothingIsTakenBack() async throws {
        try await withHosts { a, _, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            // More names than are read.
            let uses = export.appending(".docker-nfsd/uses")
            let first = uses.appending("filler")
            try replaceFile(first, with: [])
            for index in 0..<3600 {
                try #require(link(first.string, "\(first)-\(index)-" + String(repeating: "x", count: 230)) == 0)
            }
            let refusals = [
                try await refusal { _ = try await a.driver.mount("web", id: "1") }, try await refusal { try await a.driver.remove("web") },
            ]
            #expect(refusals.allSatisfy { $0.contains("holds too many files to read") }, "\(refusals)")
            #expect(try namesInFolder(uses).allSatisfy { $0.hasPrefix("filler") })
        }
    }

    /// An append-only folder takes marks, and gives none back.
    @Test func aMarkThatCouldNotBeTakenBackIsByTheNextLook() async throws {
        try await withHosts { a, b, export in
            let uses = export.appending(".docker-nfsd/uses")
            try await a.driver.create("web", options: ["onremove": "delete"])
            try await a.fill("web")
            a.read()
            try replaceFile(uses.appending("use.web.host-b"), with: [])
            try #require(try await command(["chattr", "+a", uses.string]).status == 0)
            let message = try await refusal { try await a.driver.remove("web") }
            #expect(message.contains("host host-b has it mounted") && message.contains("; and then: "), "\(message)")
            try #require(try await command(["chattr", "-a", uses.string]).status == 0)
            #expect(try namesInFolder(uses).sorted() == ["removing.web.host-a", "use.web.host-b"])
            a.read()
            #expect(try namesInFolder(uses) == ["use.web.host-b"])
            b.read()
            _ = try await b.driver.mount("web", id: "1")
            try await b.driver.unmount("web", id: "1")
        }
    }

    @Test func theMarkOfAContainerThatRunsStaysWhereAnotherCannotStart() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            b.read()
            _ = try await b.driver.mount("web", id: "1")
            let name = try #require(VolumeName("web"))
            try replaceFile(export.appending(".docker-nfsd/uses/removing.web.host-a"), with: [])
            let error = #expect(throws: StorageError.self) { try b.catalogue().marks.markUse(name) }
            #expect(error?.description.contains("being removed by host host-a") == true)
            #expect(error?.code == .inUse)
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")).contains("use.web.host-b"))
            try await b.driver.unmount("web", id: "1")
        }
    }

    @Test func aHostThatOthersCannotTellFromAnotherMarksNothing() async throws {
        try await withHosts { a, _, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            var catalogue = try a.catalogue()
            catalogue.host = nil
            let name = try #require(VolumeName("web"))
            let errors = [
                #expect(throws: StorageError.self) { try catalogue.marks.markUse(name) },
                #expect(throws: StorageError.self) { _ = try catalogue.marks.beginRemoval(name) },
            ]
            #expect(errors.allSatisfy { $0?.description.contains("no valid /etc/machine-id") == true && $0?.code == .local }, "\(errors)")
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            #expect(try catalogue.marks.ownMarks().uses.isEmpty)
        }
    }

    /// What is deleted is on the share that this host knows, whatever the server exports by then.
    @Test(arguments: MountMethod.allCases) func nothingIsDeletedInAnExportWithoutTheCatalogue(method: MountMethod) async throws {
        try await withHosts { a, _, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            try await a.fill("web")
            var fixture = a.fixture
            fixture.settings.volumes.mountMethod = method
            let volumes = try fixture.start()
            let name = try #require(VolumeName("web"))
            let definition = try #require(volumes.table.definition(of: name))
            try renameFile(export.appending(".docker-nfsd"), to: export.appending("elsewhere"))
            let error = #expect(throws: DisposalError.self) { try volumes.remover.disposal.dispose(of: definition) }
            #expect(
                error?.description.contains("is the right file system exported there") == true && error?.hasBegun == false,
                "\(error as Any)")
            #expect(export.hasFile("web/file"))
            #expect(try MountTable().mounts(below: fixture.folder.string).isEmpty)
            try renameFile(export.appending("elsewhere"), to: export.appending(".docker-nfsd"))
            try volumes.remover.disposal.dispose(of: definition)
            #expect(!export.hasFile("web/file"))
        }
    }

    // MARK: A volume that is removed and defined anew between two looks

    @Test func anOldCopyRemovesNothingOfANewVolume() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            b.read()
            try await a.driver.remove("web")
            try await a.driver.create("web", options: [:])
            try await a.fill("web")
            let message = try await refusal { try await b.driver.remove("web") }
            #expect(message.contains("removed on another host and defined anew"), "\(message)")
            #expect(export.hasFile("web/file"))
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            #expect(try b.driver.get("web").status?["requested"]?["onremove"] == nil)
            // It knows better now.
            try await b.driver.remove("web")
            #expect(export.hasFile("web/file"))
            a.read()
            #expect(a.names == [])
        }
    }

    @Test func anOldCopyThatTouchesNoDataDoesNotRemoveANewVolumeThatIsInUse() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: [:])
            b.read()
            try await a.driver.remove("web")
            try await a.driver.create("web", options: ["onremove": "delete"])
            _ = try await a.driver.mount("web", id: "1")
            #expect(try await refusal { try await b.driver.remove("web") }.contains("defined anew"))
            #expect(try await refusal { try await b.driver.remove("web") }.contains("host host-a has it mounted"))
            #expect(try namesInFolder(export.appending(".docker-nfsd/volumes")) == ["web.json"])
            try await a.driver.unmount("web", id: "1")
        }
    }

    @Test func whatIsLeftAfterARemovalElsewhereIsNotTouched() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: ["onremove": "delete"])
            b.read()
            try await a.driver.remove("web")
            try makeFolder(export.appending("web"), mode: 0o755)
            try replaceFile(export.appending("web/file"), with: [1])
            try await b.driver.remove("web")
            #expect(export.hasFile("web/file") && b.names == [])
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
        }
    }

    /// With `retain` nobody marks a use, and the volume that has its name now may be deleted with its data.
    @Test func aHostThatUsesAnOldVolumeSpeaksUpForTheNewOne() async throws {
        try await withHosts { a, b, export in
            try await a.driver.create("web", options: [:])
            b.read()
            _ = try await b.driver.mount("web", id: "1")
            try await a.driver.remove("web")
            try await a.driver.create("web", options: ["onremove": "delete"])
            for _ in 1...3 { b.read() }
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == ["use.web.host-b"])
            #expect(b.fixture.log.all.filter { $0.contains("defined anew on another host while this one uses it") }.count == 1)
            #expect(b.volumes.shared.follower.memory.withLock { $0.isConfirmed && !$0.isSettled })
            #expect(try await refusal { try await a.driver.remove("web") }.contains("host host-b has it mounted"))
            try await b.driver.unmount("web", id: "1")
            b.read()
            #expect(try b.driver.get("web").status?["requested"]?["onremove"]?.stringValue == "delete")
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            try await a.driver.remove("web")
        }
    }
}
