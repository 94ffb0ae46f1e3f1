// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import OCIRuntime
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts
@testable import DockerFiles

@Suite struct DockerContainerFileTests {
    private func configuration(root: String?) throws -> OCIConfiguration {
        let path = root.map { #""path":"\#($0)""# } ?? ""
        let text = #"{"root":{\#(path)},"mounts":[{"destination":"/data","type":"bind","source":"/srv"}]}"#
        return try OCIConfiguration(parsing: Array(text.utf8))
    }

    private func record(_ id: String) -> String {
        #"{"ID":"\#(id)","MountPoints":{"/data":{"Type":"bind","Source":"/srv","Destination":"/data","RW":true,"Relabel":"nocopy"}}}"#
    }

    @Test(arguments: [
        // Where the storage drivers put root file systems, without and with remapped user ids.
        ("/overlay2/abc/merged", "containers"), ("/rootfs/overlayfs/abc", "containers"), ("/vfs/dir/abc", "containers"),
        ("/btrfs/subvolumes/abc", "containers"), ("/100000.100000/overlay2/abc/merged", "100000.100000/containers"),
        ("/./overlay2//abc/x/../merged/", "containers"),
    ])
    func liesAboveTheRootFileSystem(root: String, place: String) async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            try docker.write(record("c1").utf8, to: "\(place)/c1/config.v2.json")
            let container = DockerFolder.Container(
                id: try ContainerID("c1"), configuration: try configuration(root: docker.root + root))
            let found = try container.find()
            #expect(found.engine == .docker)
            #expect(found["/data"]?.mode == "nocopy")
        }
    }

    @Test(arguments: ["containers", "100000.100000/containers"])
    func isLookedForInTheDataRootsToo(place: String) async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            try docker.write(record("c1").utf8, to: "\(place)/c1/config.v2.json")
            for root in [nil, "rootfs", "/elsewhere/rootfs"] {
                let container = DockerFolder.Container(id: try ContainerID("c1"), configuration: try configuration(root: root))
                #expect(try container.find(dataRoots: ["/nonexistent", docker.root])["/data"]?.mode == "nocopy")
            }
        }
    }

    /// A record that the user has written himself, and that his mount at /etc/hosts would lead to.
    @Test func isNotLookedForBehindMounts() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let forged = scratch.appending("forged").string
            try FileManager.default.createDirectory(atPath: "\(forged)/containers/c1", withIntermediateDirectories: true)
            try #"{"ID":"c1"}"#.write(toFile: "\(forged)/containers/c1/config.v2.json", atomically: false, encoding: .utf8)
            let text = """
                {"root":{"path":"\(docker.root)/overlay2/abc/merged"},"mounts":[
                 {"destination":"/etc/hosts","type":"bind","source":"\(forged)/containers/c1/hosts"},
                 {"destination":"/data","type":"bind","source":"/srv"}]}
                """
            let container = DockerFolder.Container(
                id: try ContainerID("c1"), configuration: try OCIConfiguration(parsing: Array(text.utf8)))
            #expect(throws: EngineFilesError.self) { try container.find() }
            try docker.write(record("c1").utf8, to: "containers/c1/config.v2.json")
            let error = #expect(throws: EngineFilesError.self) { try container.find() }
            #expect(error?.description.contains("that Docker's record of the container does not have") == true)
        }
    }

    @Test func withoutItAContainerOfDockersDoesNotStart() throws {
        let container = DockerFolder.Container(
            id: try ContainerID("c1"), configuration: try configuration(root: "/nonexistent/overlay2/abc/merged"))
        let error = #expect(throws: EngineFilesError.self) { try container.find(dataRoots: ["/nonexistent", "/other"]) }
        #expect(
            error?.description == """
                Docker's record of the container is not found, so nobody can tell which mounts plugins must be asked about; looked for \
                /nonexistent/overlay2/abc/containers/c1/config.v2.json, /nonexistent/overlay2/containers/c1/config.v2.json, \
                /nonexistent/containers/c1/config.v2.json, /containers/c1/config.v2.json, /other/containers/c1/config.v2.json; \
                set docker-data-root in /etc/docker/mountpoint-runc.json to the folder that Docker uses
                """)
        #expect(try container.find(runtimeRoot: "/run/runc").engine == .other)
    }

    @Test(arguments: [
        ("", "it is not valid JSON: line 1, column 1: the document ends too early"),
        ("[]", "it must be a JSON object, not an array"),
        (#"{"ID":"c2"}"#, #"it is the record of the container "c2""#),
        (#"{}"#, #"it is the record of the container """#),
        (#"{"ID":7}"#, "ID must be a string, not a number"),
        (#"{"ID":"c1","MountPoints":[]}"#, "MountPoints must be an object, not an array"),
        (#"{"ID":"c1","MountPoints":{"/a":7}}"#, "MountPoints./a must be an object, not a number"),
        (#"{"ID":"c1","MountPoints":{"/a":{}}}"#, "MountPoints./a.Destination is missing"),
        (#"{"ID":"c1","MountPoints":{"/a":{"Destination":"/a","RW":"yes"}}}"#, "MountPoints./a.RW must be true or false, not a string"),
        (
            #"{"ID":"c1","MountPoints":{"/a":{"Destination":"/a","Spec":{"VolumeOptions":{"DriverConfig":{"Options":{"k":1}}}}}}}"#,
            #"MountPoints./a.Spec.VolumeOptions.DriverConfig.Options["k"] must be a string, not a number"#
        ),
        (#"{"ID":"c1","Config":{"Labels":["a"]}}"#, "Config.Labels must be an object, not an array"),
    ])
    func isRefusedIfItIsNotWhatDockerWrites(content: String, reason: String) async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            try docker.write(content.utf8, to: "containers/c1/config.v2.json")
            let container = DockerFolder.Container(
                id: try ContainerID("c1"), configuration: try configuration(root: "\(docker.root)/overlay2/a/merged"))
            let error = #expect(throws: EngineFilesError.self) { try container.find() }
            #expect(error?.description == "cannot use \(docker.root)/containers/c1/config.v2.json: \(reason)")
        }
    }

    @Test func isRefusedIfItIsHuge() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            try docker.write([UInt8](repeating: 0x20, count: DockerContainerFile.sizeLimit + 1), to: "containers/c1/config.v2.json")
            let container = DockerFolder.Container(
                id: try ContainerID("c1"), configuration: try configuration(root: "\(docker.root)/overlay2/a/merged"))
            let error = #expect(throws: EngineFilesError.self) { try container.find() }
            #expect(error?.description.hasSuffix("it has more than 16777216 bytes") == true)
        }
    }

    @Test func mustAgreeWithTheBundle() async throws {
        try await withScratchFolder { scratch in
            let container = try DockerFolder(scratch).add("v-flags") { $0.replacing(#""Destination":"/ro""#, with: #""Destination":"/r""#) }
            let error = #expect(throws: EngineFilesError.self) { try container.find() }
            #expect(
                error?.description == """
                    Docker's record has a bind mount at "/r", and the bundle's config.json has none there, so it cannot be told which \
                    mount plugins must be asked about; please report this with Docker's version
                    """)
        }
    }

    /// runc alone has no limit of them, and so has this.
    @Test func doesNotDrownInLabels() async throws {
        try await withScratchFolder { scratch in
            let labels = (0..<20_000).map { #""\#($0)":"x\#($0)""# }.joined(separator: ",")
            let container = try DockerFolder(scratch).add("odd-paths") { $0.replacing(#""Labels":{"#, with: #""Labels":{\#(labels),"#) }
            let mount = try #require(try container.find().mounts.first?.mountPoint)
            #expect(mount.container.labels.count > 20_000 && mount.container.labels["19999"] == "x19999")
        }
    }

    @Test func survivesBeingCutOffAnywhere() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let whole = Array(record("c1").utf8)
            let container = DockerFolder.Container(
                id: try ContainerID("c1"), configuration: try configuration(root: "\(docker.root)/overlay2/a/merged"))
            for count in 0..<whole.count {
                try docker.write(whole[..<count], to: "containers/c1/config.v2.json")
                #expect(throws: EngineFilesError.self) { try container.find() }
            }
        }
    }
}
