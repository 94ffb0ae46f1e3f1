// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// The share in a host's settings is taken out, or becomes another one, while volumes of it are known.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct ChangedShareTests {
    @Test func withoutTheShareItsVolumesAreStillThisHosts() async throws {
        try await withHosts { a, _, export in
            try await a.driver.create("web", options: [:])
            try await a.driver.create("data", options: ["onremove": "delete"])
            var fixture = a.fixture
            fixture.settings.volumes.share = nil
            let without = try fixture.start()
            #expect(without.nfsd.scope == .local && without.nfsd.list().count == 2)
            _ = try await without.nfsd.mount("web", id: "1")
            try await without.nfsd.unmount("web", id: "1")
            try await without.nfsd.remove("web")
            #expect(try namesInFolder(export.appending(".docker-nfsd/volumes")) == ["data.json", "web.json"])
            // Where data are touched, all hosts still have to agree.
            _ = try await without.nfsd.mount("data", id: "1")
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == ["use.data.host-a"])
            try await without.nfsd.unmount("data", id: "1")
            #expect(without.shared.follower.readCatalogue())
            #expect(try namesInFolder(export.appending(".docker-nfsd/uses")) == [])
            try await without.nfsd.remove("data")
            #expect(try namesInFolder(export) == [".docker-nfsd", "lost+found", "web"])
            #expect(try namesInFolder(export.appending(".docker-nfsd/volumes")) == ["web.json"])
            #expect(
                try await refusal { try await without.nfsd.create("new", options: [:]) }.hasPrefix("cannot create volume new: no options"))
        }
    }

    @Test func anotherShareHasOtherVolumes() async throws {
        try await withHosts { a, _, _ in
            try await a.driver.create("web", options: [:])
            try await withExport { other, _ in
                var fixture = a.fixture
                fixture.settings.volumes.share = try Share("nas2:/export")
                fixture.settings.volumes.kind = other.settings.volumes.kind
                let moved = try fixture.start()
                #expect(moved.shared.follower.readCatalogue())
                #expect(moved.nfsd.list().map(\.name) == ["web"], "there is no catalogue yet, so nothing is known of it")
                try await moved.nfsd.create("new", options: [:])
                #expect(moved.shared.follower.readCatalogue())
                #expect(moved.nfsd.list().map(\.name) == ["new"])
            }
        }
    }
}
