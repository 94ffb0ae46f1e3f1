// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import KernelMount
import LinuxSystem
import Synchronization
import SystemPackage
import Testing
import TestSupport

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// A catalogue in which somebody has written much, and what a host does before it has looked there.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct LargeCatalogueTests {
    private func text(_ name: String, option: String, value: String) -> [UInt8] {
        let text = """
            {"format": 1, "name": "\(name)", "driver": "nfsd", "createdAt": "2026-03-01T12:00:00Z", "options": {"\(option)": "\(value)"}}
            """
        return Array(text.utf8)
    }

    private func fill(_ export: FilePath, _ count: Int, _ content: (String) -> [UInt8]) throws {
        for index in 0..<count {
            let name = "a\(index)"
            try replaceFile(export.appending(".docker-nfsd/volumes/\(name).json"), with: content(name), durable: false)
        }
    }

    @Test func nothingWaitsForWhatSomebodyElseHasWritten() async throws {
        try await withHosts { plain, other, export in
            try await plain.driver.create("web", options: [:])
            try fill(export, 100) { text($0, option: String(repeating: "a", count: 16_000), value: "") }
            try await other.driver.create("new", options: [:])
            // Docker asks at once for what it knows. All of this comes before the first look, and needs none.
            let host = try plain.restarted()
            #expect(host.names == ["web"] && host.driver.scope == .global)
            #expect(try host.driver.get("web").name == "web")
            #expect(try host.driver.path(of: "web") == "")
            _ = try await host.driver.mount("web", id: "1")
            try await host.driver.unmount("web", id: "1")
            // What only others know is not there yet, and is looked for.
            #expect(throws: (any Error).self) { try host.driver.get("new") }
            #expect(host.volumes.shared.follower.memory.withLock { $0.reading == nil })
            host.read()
            #expect(host.names == ["new", "web"])
            let reading = try #require(host.volumes.shared.follower.memory.withLock { $0.reading })
            #expect(reading.damaged.count == 100 && reading.isComplete)
            // Each is named once, and no suggestion is sought for such a word.
            #expect(host.fixture.log.all.filter { $0.contains("cannot be used: unknown option aaa") }.count == 100)
            #expect(!host.fixture.log.all.contains { $0.contains("did you mean") })
        }
    }

    @Test func aLookReadsSoMuchAndNoMore() async throws {
        try await withHosts { a, _, export in
            try await a.driver.create("web", options: [:])
            try fill(export, 200) { text($0, option: "o", value: "x-note=" + String(repeating: "b", count: 3_000)) }
            var catalogue = try a.catalogue()
            catalogue.longestReading = 200_000
            guard case .read(var reading) = try catalogue.definitions.look(unless: nil, expected: true) else {
                Issue.record("nothing was read")
                return
            }
            #expect(!reading.isComplete && reading.definitions.count == 128 && reading.fileNames.count == 201)
            // The same holds for those that are read again, and none is forgotten.
            for name in reading.fileNames { reading.damaged["\(name).json"] = "so it was" }
            try catalogue.definitions.readDamagedAgain(&reading)
            #expect(reading.damaged.count == 201 - 128 && reading.damaged.values.allSatisfy { $0 == "so it was" })
            // Nothing is forgotten for what was not read.
            catalogue.longestReading = 16 << 20
            a.read()
            #expect(a.names.count == 201)
        }
    }
}
