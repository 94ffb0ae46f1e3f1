// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// One of several hosts that have a share between them.
struct Host {
    let fixture: Fixture
    let volumes: VolumeDrivers
    var driver: NFSVolumeDriver { volumes.nfsd }
    var names: [String] { driver.list().map(\.name).sorted() }

    /// What this host recognises the share's catalogue by.
    var identity: String? { get throws { volumes.shared.access.identity(of: try Share("nas:/export")) } }

    /// Looks at the catalogue as it does now and then.
    func read() { #expect(volumes.shared.follower.readCatalogue(), "\(fixture.log.all)") }

    /// The share's catalogue as this host comes to it for a request.
    func catalogue() throws -> ShareCatalogue {
        try volumes.shared.access.catalogue(of: try Share("nas:/export"), until: Deadline(after: .seconds(60)))
    }

    /// The same host after its daemon was killed.
    func restarted() throws -> Host { Host(fixture: fixture, volumes: try fixture.start()) }

    func fill(_ name: String) async throws {
        let place = try await driver.mount(name, id: "filler")
        try replaceFile(FilePath(place).appending("file"), with: [1])
        try await driver.unmount(name, id: "filler")
    }
}

/// Two hosts, each as after its start. A file system on a loop device stands in for the server.
func withHosts(_ body: (_ a: Host, _ b: Host, _ export: FilePath) async throws -> Void) async throws {
    try await withExport { fixture, export in
        let (a, b) = (try fixture.host("host-a"), try fixture.host("host-b"))
        try await body(Host(fixture: a, volumes: try a.start()), Host(fixture: b, volumes: try b.start()), export)
    }
}

/// The one line in which something is refused.
func refusal(_ body: () async throws -> Void) async throws -> String {
    let error = await #expect(throws: PluginError.self) { try await body() }
    let message = try #require(error).message
    #expect(!message.contains("\n"))
    return message
}

extension FilePath {
    func hasFile(_ relative: String) -> Bool { (try? readWholeFile(appending(relative), limit: 1 << 20)) != nil }
}
