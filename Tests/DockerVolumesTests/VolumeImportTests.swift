// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import DockerSupport
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes

/// How volumes of other drivers are defined for this one, by what Docker keeps of them.
@Suite struct VolumeImportTests {
    /// - Parameter record: what Docker's database has of the volume `old`.
    private func imported(_ record: String, name: String = "old") async throws -> String {
        var text = ""
        try await withScratchFolder { folder in
            var file = BoltFile()
            file.put(page: 2, BoltFile.leaf([.bucket("volumes", root: 0, inline: BoltFile.leaf([.value("old", Array(record.utf8))]))]))
            file.put(meta: 0, root: 2, end: 3, transaction: 1)
            try makeFolders(folder.appending("volumes"))
            try replaceFile(folder.appending("volumes/metadata.db"), with: file.bytes)
            var settings = DaemonSettings()
            settings.engine.dataRoot = folder
            text = try VolumeImport(name, settings: settings).text
        }
        return text
    }

    @Test func theMountIsTheSameAsWithTheLocalDriver() async throws {
        let text = try await imported(
            """
            {"Name":"old","Driver":"local","Labels":{"team":"it's $5","com.docker.compose.project":"shop"},
            "Options":{"type":"nfs","o":"addr=nas.example,rw,nfsvers=4.1,timeo=30","device":":/exports/old"}}
            """)
        #expect(
            text == """
                # the volume old of the driver local, which is nas.example:/exports/old
                docker volume rm old
                docker volume create --driver nfsd --label 'team=it'\\''s $5' --opt server=nas.example --opt path=/exports/old --opt nfsvers=4.1 --opt o=rw,timeo=30,hard,relatime --opt type=nfs old
                # in a Compose file:
                # volumes:
                #   "old":
                #     driver: nfsd
                #     driver_opts:
                #       server: "nas.example"
                #       path: "/exports/old"
                #       nfsvers: "4.1"
                #       o: "rw,timeo=30,hard,relatime"
                #       type: "nfs"

                """)
    }

    @Test func whatWasSaidOfWaitingAndOfTimesHolds() async throws {
        let text = try await imported(
            #"{"Driver":"local","Options":{"type":"nfs","o":"addr=192.0.2.7,soft,noatime,nolock","device":":/x y$z"}}"#)
        #expect(
            text.contains("--opt server=192.0.2.7 --opt 'path=/x y$z' --opt nfsvers=auto --opt o=soft,noatime,nolock --opt type=nfs old\n"),
            "\(text)")
        #expect(
            text.contains("# local mounted it by version 3; docker-nfsd tries 4.2 first, unless you write nfsvers=3 for nfsvers=auto\n"),
            "\(text)")
        #expect(text.contains("#       path: \"/x y$$z\"\n"), "a dollar sign is Compose's")
    }

    @Test func theSpellingsOfOtherPluginsAreTaken() async throws {
        let text = try await imported(#"{"Driver":"netshare","Options":{"share":"nas.example:/exports/old"}}"#)
        #expect(text.contains("of the driver netshare, which is"), "\(text)")
        #expect(text.contains("create --driver nfsd --opt server=nas.example --opt path=/exports/old old\n"), "\(text)")
    }

    @Test(arguments: [
        (#"{"Driver":"nfsd","Options":{"server":"a","path":"/b"}}"#, "old", "old is a volume of docker-nfsd already"),
        (#"{"Driver":"local","Options":{"type":"tmpfs","device":"tmpfs"}}"#, "old", "old is a volume of the type tmpfs"),
        (#"{"Driver":"local","Options":{"type":"nfs","device":":/b"}}"#, "old", "option server is missing"),
        (#"{"Driver":"local"}"#, "old", "Docker knows no options of a volume old"),
        (#"{}"#, "new", "Docker knows no options of a volume new"),
    ])
    func whatCannotBeOneIsRefused(record: String, name: String, reason: String) async throws {
        let error = await #expect(throws: PluginError.self) { _ = try await imported(record, name: name) }
        #expect(error?.message.contains(reason) == true, "\(String(describing: error))")
    }

    @Test func textOfOthersDoesNothingToATerminalOrAShell() async throws {
        let text = try await imported(
            #"{"Driver":"local","Labels":{"a":"\u001b[2J\nrm -rf x; $(id) `id`"},"Options":{"type":"nfs4","o":"addr=a","device":":/b"}}"#)
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }, "\(text)")
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("docker volume create") })
        #expect(line.contains("rm -rf x; $(id) `id`' --opt server=a "), "\(line)")
    }
}
