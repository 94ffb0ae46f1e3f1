// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts
@testable import DockerFiles

@Suite struct DockerImagesTests {
    private static let image = String(repeating: "1", count: 64)
    private static let manifest = String(repeating: "2", count: 64)
    private static let description = String(repeating: "3", count: 64)
    private static let blobs = "io.containerd.content.v1.content/blobs/sha256"

    private func container(image: String = "sha256:\(image)", driver: String = "overlayfs", manifest: String = "") throws -> DockerContainer
    {
        try DockerContainer(
            parsing: Array(#"{"ID":"c","Image":"\#(image)","Driver":"\#(driver)","ImageManifest":{"digest":"\#(manifest)"}}"#.utf8))
    }

    @Test(arguments: ["docker/containerd/daemon", "containerd"], ["sha256:\(manifest)", ""])
    func areFoundInContainerdsStore(root: String, manifest: String) async throws {
        try await withScratchFolder { scratch in
            // Where the record does not name the manifest, the image may be one.
            let digest = manifest.isEmpty ? Self.image : Self.manifest
            let docker = DockerFolder(scratch)
            try docker.write(
                #"{"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:\#(Self.description)","size":2}}"#
                    .utf8,
                to: "../\(root)/\(Self.blobs)/\(digest)")
            try docker.write(#"{"config":{"Labels":{"k":"v"}}}"#.utf8, to: "../\(root)/\(Self.blobs)/\(Self.description)")
            #expect(
                try DockerImages.labels(
                    of: try container(manifest: manifest), folder: docker.root, containerdRoot: scratch.appending("containerd").string)
                    == ["k": "v"])
        }
    }

    @Test func areNoneOfAnImageThatIsGone() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            // A list of manifests has no description.
            try docker.write(#"{"manifests":[]}"#.utf8, to: "containerd/daemon/\(Self.blobs)/\(Self.image)")
            for container in [
                try container(), try container(image: ""), try container(image: "sha256:../../x"), try container(driver: "../x"),
                try container(image: "sha512:\(Self.image)"),
            ] {
                #expect(try DockerImages.labels(of: container, folder: docker.root, containerdRoot: "/nonexistent") == [:])
            }
        }
    }

    @Test(arguments: [
        ("{", "it is not valid JSON: line 1, column 2: the document ends too early"),
        (#"{"config":{"Labels":"x"}}"#, "config.Labels must be an object, not a string"),
    ])
    func areAnErrorIfTheyCannotBeRead(content: String, reason: String) async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let place = "image/overlayfs/imagedb/content/sha256/\(Self.image)"
            try docker.write(content.utf8, to: place)
            let container = try container()
            let error = #expect(throws: EngineFilesError.self) { try DockerImages.labels(of: container, folder: docker.root) }
            #expect(error?.description == "cannot use \(docker.root)/\(place): \(reason)")
        }
    }
}
