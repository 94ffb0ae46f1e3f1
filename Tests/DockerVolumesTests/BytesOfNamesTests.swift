// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import KernelMount
import LinuxSystem
import NFS
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// Names and paths are bytes. What differs only by the composition of a letter is two things.
struct BytesOfNamesTests {
    private static let (composed, decomposed) = ("\u{e9}", "e\u{301}")

    @Test func twoVolumes() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create(Self.composed, options: ["server": "nas", "path": "/one"])
            try await driver.create(Self.decomposed, options: ["server": "nas", "path": "/two"])
            for driver in [driver, try fixture.start().nfsd] {
                #expect(driver.list().count == 2)
                #expect(try driver.get(Self.composed).status?["source"] == "nas:/one")
                #expect(try driver.get(Self.decomposed).status?["source"] == "nas:/two")
            }
            try await driver.remove(Self.composed)
            #expect(try driver.get(Self.decomposed).status?["source"] == "nas:/two")
        }
    }

    @Test(arguments: ["path", "subdir", "o"]) func twoValuesOfAnOption(name: String) async throws {
        func value(_ letter: String) -> String { name == "o" ? "context=\(letter)" : "/\(letter)" }
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            let basis = ["server": "nas", "path": "/export"]
            try await driver.create("web", options: basis.merging([name: value(Self.composed)]) { $1 })
            try await driver.create("web", options: basis.merging([name: value(Self.composed)]) { $1 })
            let message = try await refusal {
                try await driver.create("web", options: basis.merging([name: value(Self.decomposed)]) { $1 })
            }
            #expect(message.contains("exists with other options: \(name)="), "\(message)")
        }
    }

    @Test func twoDirectories() throws {
        func definition(_ name: String, _ path: String, _ subdirectory: String? = nil, on server: String = "nas") throws -> VolumeDefinition
        {
            var options = ["server": server, "path": path]
            options["subdir"] = subdirectory
            return VolumeDefinition(name: VolumeName(name)!, owner: "nfsd", createdAt: "", options: try VolumeOptions(options))
        }
        let own = try definition("a", "/export", Self.composed)
        #expect(try own.disposalTouches(definition("b", "/export", Self.composed)))
        #expect(try !own.disposalTouches(definition("b", "/export", Self.decomposed)))
        // Names of hosts have no case.
        #expect(try own.disposalTouches(definition("b", "/export", Self.composed, on: "NAS")))
        #expect(try !own.disposalTouches(definition("b", "/export", Self.composed, on: "nas2")))
        #expect(try !own.disposalTouches(definition("b", "/export/\(Self.decomposed)/c")))
        // To Swift, an accent belongs to the slash before it, and this is no directory below the other.
        #expect(try definition("a", "/export", "x").disposalTouches(definition("b", "/export/x/\u{301}y")))
        #expect(try Subdirectory(Self.composed) != Subdirectory(Self.decomposed))
        #expect(try Share("nas:/\(Self.composed)") != Share("nas:/\(Self.decomposed)"))
    }

    @Test func twoMountOptions() throws {
        #expect(MountOption("context", Self.composed) != MountOption("context", Self.decomposed))
        #expect(Set([MountOption("context", Self.composed), MountOption("context", Self.decomposed)]).count == 2)
        #expect(throws: StorageError.self) { try NFSOptions("context=\(Self.composed),context=\(Self.decomposed)") }
        let device = #expect(throws: StorageError.self) {
            try VolumeOptions(["device": "nas:/\(Self.composed)", "share": "nas:/\(Self.decomposed)"])
        }
        #expect(device?.description.contains("contradict each other") == true)
        let server = #expect(throws: StorageError.self) {
            try VolumeOptions(["server": "nas", "path": "/\(Self.composed)", "device": ":/\(Self.decomposed)"])
        }
        #expect(server?.description.contains("contradict each other") == true)
    }
}
