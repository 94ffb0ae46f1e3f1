// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import DockerSupport
import TestSupport
import Testing

@testable import ContainerMounts
@testable import DockerFiles

@Suite struct DockerVolumesTests {
    private func database(_ value: String) -> [UInt8] {
        var file = BoltFile()
        let volumes = BoltFile.leaf([.value("named", Array(value.utf8))])
        file.put(page: 2, BoltFile.leaf([.bucket("volumes", root: 0, inline: volumes)]))
        file.put(meta: 0, root: 2, end: 3, transaction: 1)
        return file.bytes
    }

    @Test func hasNoLabelsOfAVolumeThatDockerHasNotMade() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let container = try docker.add("v-flags")
            try docker.write(database("{}"), to: "volumes/metadata.db")
            try docker.write(
                #"{"MountType":"tmpfs","MountOpts":"size=1m","MountDevice":"tmpfs","Quota":{"Size":0}}"#.utf8, to: "volumes/opted/opts.json"
            )
            let record = try container.find()
            #expect(record["/named"]?.volume == .init(name: "named", driver: "local", scope: .local))
            #expect(record["/opted"]?.volume.options == ["type": "tmpfs", "o": "size=1m", "device": "tmpfs"])
            #expect(record["/opted"]?.volume.labels == [:])
        }
    }

    @Test(arguments: [
        ("{", "it is not valid JSON: line 1, column 2: the document ends too early"),
        (#"{"Labels":{"a":1}}"#, #"Labels["a"] must be a string, not a number"#),
        (#"{"Options":[]}"#, "Options must be an object, not an array"),
    ])
    func refusesAnEntryThatDockerWouldNotWrite(value: String, reason: String) async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let container = try docker.add("v-flags")
            try docker.write(database(value), to: "volumes/metadata.db")
            let error = #expect(throws: EngineFilesError.self) { try container.find() }
            #expect(
                error?.description == "cannot use \(docker.root)/volumes/metadata.db: what it says of the volume \"named\": \(reason)")
        }
    }

    @Test func withoutTheDatabaseAContainerWithVolumesDoesNotStart() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let container = try docker.add("v-flags")
            let other = try docker.add("odd-paths")
            try docker.remove("volumes/metadata.db")
            let path = "\(docker.root)/volumes/metadata.db"
            let error = #expect(throws: EngineFilesError.self) { try container.find() }
            #expect(
                error?.description == """
                    cannot use \(path): open \(path): No such file or directory (ENOENT); Docker keeps the labels of volumes there, and \
                    makes the file when it starts
                    """)
            #expect(try other.find().mounts.count == 3)
        }
    }
}
