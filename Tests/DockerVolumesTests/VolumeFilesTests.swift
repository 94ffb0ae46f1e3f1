// SPDX-License-Identifier: AGPL-3.0-or-later

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

struct VolumeFilesTests {
    private func definition(_ name: String) throws -> VolumeDefinition {
        VolumeDefinition(
            name: VolumeName(name)!, owner: "nfsd", createdAt: "2026-03-01T12:00:00Z", options: try VolumeOptions(["device": "nas:/a"]))
    }

    private func files(_ fixture: Fixture, isOwner: Bool = true) throws -> VolumeFiles {
        try VolumeFiles(
            state: fixture.settings.volumes.stateDirectory, runtime: fixture.settings.volumes.runtimeDirectory,
            kind: fixture.settings.volumes.kind,
            isOwner: isOwner)
    }

    private func held() -> References {
        var references = References()
        references.retain("id", activation: 1, now: 5)
        return references
    }

    /// Opening such a file to read it waits for a writer.
    @Test(.timeLimit(.minutes(1))) func aFIFOIsPassedOver() async throws {
        try await withFixture { fixture in
            let files = try files(fixture)
            try files.write(definition("good"))
            for path in ["state/volumes/fifo.json", "run/references/fifo.json"] {
                try #require(mkfifo(fixture.folder.appending(path).string, 0o600) == 0)
            }
            #expect(try files.readDefinitions(logger: fixture.logger).map(\.name.text) == ["good"])
            #expect(try files.readReferences(logger: fixture.logger).isEmpty)
            #expect(fixture.log.contains("volumes/fifo.json cannot be used", "it must be a regular file"))
            #expect(fixture.log.contains("references/fifo.json cannot be used", "it must be a regular file"))
        }
    }

    private func put(_ text: String, _ fixture: Fixture, _ path: String) throws {
        try replaceFile(fixture.folder.appending(path), with: Array(text.utf8))
    }

    // MARK: Definitions

    @Test func definitionsAreReadBackByAnother() async throws {
        try await withFixture { fixture in
            let written = try ["a", "b/c", "..", "e\u{301}", "\u{e9}"].map { try definition($0) }
            for definition in written { try files(fixture).write(definition) }
            let read = try files(fixture).readDefinitions(logger: fixture.logger)
            #expect(Set(read.map(\.name)) == Set(written.map(\.name)))
            #expect(fixture.names("state/volumes").count == 5)
            try files(fixture).removeDefinition(of: VolumeName("b/c")!)
            try files(fixture).removeDefinition(of: VolumeName("never was")!)
            #expect(try files(fixture).readDefinitions(logger: fixture.logger).count == 4)
            #expect(fixture.log.all.isEmpty)
        }
    }

    @Test func whatCannotBeReadIsSetAsideAndTheRestGoesOn() async throws {
        try await withFixture { fixture in
            let files = try files(fixture)
            try files.write(try definition("good"))
            try put("{", fixture, "state/volumes/bad.json")
            // A file of another volume: a copy by hand.
            try put("\(try definition("good").json)", fixture, "state/volumes/copy.json")
            try put("x", fixture, "state/volumes/README")
            #expect(try files.readDefinitions(logger: fixture.logger).map(\.name.text) == ["good"])
            #expect(fixture.names("state/damaged") == ["bad.json", "copy.json"])
            #expect(fixture.names("state/volumes") == ["README", "good.json"])
            #expect(try readWholeFile(fixture.folder.appending("state/damaged/bad.json"), limit: 10) == [UInt8(ascii: "{")])
            #expect(fixture.log.contains("error damaged file ", "volumes/bad.json set aside as ", "damaged/bad.json: "))
            #expect(fixture.log.contains("volumes/copy.json", "it speaks of volume good"))
        }
    }

    @Test func everyPartOfADefinitionIsSetAside() async throws {
        try await withFixture { fixture in
            let files = try files(fixture)
            let whole = try definition("v").json.encoded(.compact)
            for count in stride(from: 0, to: whole.count, by: 7) {
                try replaceFile(fixture.folder.appending("state/volumes/v.json"), with: Array(whole.prefix(count)), durable: false)
                #expect(try files.readDefinitions(logger: fixture.logger).isEmpty)
                #expect(fixture.names("state/volumes").isEmpty)
            }
        }
    }

    @Test func aFileThatIsTooLongDoesNotKeepItFromStarting() async throws {
        try await withFixture { fixture in
            let files = try files(fixture)
            try replaceFile(
                fixture.folder.appending("state/volumes/long.json"), with: [UInt8](repeating: 0x20, count: 5 << 20), durable: false)
            try makeFolder(fixture.folder.appending("state/volumes/folder.json"), mode: 0o700)
            try files.write(try definition("good"))
            #expect(try files.readDefinitions(logger: fixture.logger).count == 1)
            #expect(fixture.log.contains("error file ", "long.json cannot be used", "EFBIG"))
            #expect(fixture.log.contains("error file ", "folder.json cannot be used", "EISDIR"))
        }
    }

    @Test func draftsOfACrashAreRemoved() async throws {
        try await withFixture { fixture in
            let files = try files(fixture)
            try files.write(try definition("v"))
            try files.write(held(), of: VolumeName("v")!)
            try makeFolder(fixture.folder.appending("run/failures"), mode: 0o700)
            let drafts = ["state/volumes/v.json", "state/shares.json", "run/references/v.json", "run/engines.json", "run/failures/v.json"]
            for file in drafts { try put("{", fixture, file + ".new") }
            #expect(try files.readDefinitions(logger: fixture.logger).count == 1)
            #expect(try files.readReferences(logger: fixture.logger).count == 1)
            #expect(fixture.names("state/volumes") == ["v.json"] && fixture.names("run/references") == ["v.json"])
            for folder in ["state", "run", "run/failures"] { #expect(!fixture.names(folder).contains { $0.hasSuffix(".new") }) }
            #expect(fixture.log.all.isEmpty)
        }
    }

    // MARK: References

    @Test func referencesAreReadBackWithinTheBoot() async throws {
        try await withFixture { fixture in
            try files(fixture).write(held(), of: VolumeName("a/b")!)
            #expect(try files(fixture).readReferences(logger: fixture.logger) == [VolumeName("a/b")!.fileName: held()])
            try files(fixture).write(References(), of: VolumeName("a/b")!)
            #expect(fixture.names("run/references").isEmpty)
            // Writing nothing of what is not there is no failure.
            try files(fixture).write(References(), of: VolumeName("a/b")!)
        }
    }

    @Test func thoseOfAnotherBootAreRemoved() async throws {
        try await withFixture { fixture in
            let files = try files(fixture)
            try put("\(held().json(boot: "another"))", fixture, "run/references/v.json")
            #expect(try files.readReferences(logger: fixture.logger).isEmpty)
            #expect(fixture.names("run/references").isEmpty)
            #expect(fixture.log.all.isEmpty)
        }
    }

    @Test func damagedOnesAreSetAside() async throws {
        try await withFixture { fixture in
            let files = try files(fixture)
            try put("[", fixture, "run/references/v.json")
            #expect(try files.readReferences(logger: fixture.logger).isEmpty)
            #expect(fixture.names("run/references").isEmpty)
            #expect(fixture.names("state/damaged") == ["references-v.json"])
        }
    }

    // MARK: Engines

    private func activations(_ fixture: Fixture) throws -> ActivationFile {
        _ = try files(fixture)
        return try ActivationFile(runtime: fixture.settings.volumes.runtimeDirectory)
    }

    @Test func enginesAreCountedWithinTheBoot() async throws {
        try await withFixture { fixture in
            #expect(try activations(fixture).read() == [:])
            try activations(fixture).write(["nfsd": 3, "docker-nfsd": 1])
            #expect(try activations(fixture).read() == ["nfsd": 3, "docker-nfsd": 1])
            try put(#"{"boot":"another","engines":{"nfsd":3}}"#, fixture, "run/engines.json")
            #expect(try activations(fixture).read() == [:])
            try put("{", fixture, "run/engines.json")
            #expect(try activations(fixture).read() == [:])
        }
    }

    /// The next engine would be one more than can be counted.
    @Test func countsThatCannotBeAreForgotten() async throws {
        try await withFixture { fixture in
            try activations(fixture).write(["huge": .max, "negative": -1, "good": 2])
            #expect(try activations(fixture).read() == ["good": 2])
        }
    }

    // MARK: Rights

    @Test func foldersAreForTheirOwnerAlone() async throws {
        try await withFixture { fixture in
            _ = try files(fixture)
            let folders = ["state/volumes", "state/damaged", "run/references"].map { fixture.folder.appending($0).string }
            #expect(try await command(["stat", "-c", "%a"] + folders).output == "700\n700\n700\n")
        }
    }

    @Test(.needs(.root)) func theCatalogueIsForRootAlone() async throws {
        try await withHosts { a, _, export in
            try await a.driver.create("web", options: [:])
            let folders = [".docker-nfsd", ".docker-nfsd/volumes", ".docker-nfsd/uses"].map { export.appending($0).string }
            #expect(try await command(["stat", "-c", "%a %u"] + folders).output == "700 0\n700 0\n700 0\n")
        }
    }

    // MARK: One who only looks

    @Test func onlyLookingChangesNothing() async throws {
        try await withFixture { fixture in
            let owner = try files(fixture)
            try owner.write(try definition("good"))
            try owner.write(held(), of: VolumeName("good")!)
            try put("{", fixture, "state/volumes/bad.json")
            try put("{", fixture, "state/volumes/x.json.new")
            try put("\(held().json(boot: "another"))", fixture, "run/references/old.json")
            try put("[", fixture, "run/references/bad.json")
            let before = [fixture.names("state/volumes"), fixture.names("run/references"), fixture.names("state/damaged")]
            let looker = try files(fixture, isOwner: false)
            #expect(try looker.readDefinitions(logger: fixture.logger).map(\.name.text) == ["good"])
            #expect(try looker.readReferences(logger: fixture.logger) == ["good": held()])
            #expect([fixture.names("state/volumes"), fixture.names("run/references"), fixture.names("state/damaged")] == before)
            #expect(fixture.log.contains("error damaged file", "bad.json"))
        }
    }

    /// What was set aside earlier may be all that is left of a volume.
    @Test func whatWasSetAsideIsNotOverwritten() async throws {
        try await withFixture { fixture in
            let files = try files(fixture)
            for text in ["{first", "{second"] {
                try put(text, fixture, "state/volumes/v.json")
                _ = try files.readDefinitions(logger: fixture.logger)
            }
            let names = fixture.names("state/damaged")
            #expect(names.count == 2)
            #expect(names.first == "v.json")
            let kept = try names.map { try readWholeFile(fixture.folder.appending("state/damaged").appending($0), limit: 100) }
            #expect(Set(kept) == [Array("{first".utf8), Array("{second".utf8)])
        }
    }

    /// As after a boot, before the daemon's first run.
    @Test func withoutReferencesThereAreNone() async throws {
        try await withFixture { fixture in
            let looker = try files(fixture, isOwner: false)
            let references = try looker.readReferences(logger: fixture.logger)
            #expect(references.isEmpty)
            #expect(fixture.log.all.isEmpty)
        }
    }

    @Test func onlyLookingMakesNoFolders() async throws {
        try await withFixture { fixture in
            let looker = try files(fixture, isOwner: false)
            #expect(throws: SystemError.self) { try looker.readDefinitions(logger: fixture.logger) }
            #expect(fixture.names("").isEmpty)
        }
    }
}
