// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// `docker-nfsd volume set`.
@Suite(.timeLimit(.minutes(5))) struct VolumeChangeTests {
    private func requested(_ driver: NFSVolumeDriver, _ name: String) throws -> [String: String] {
        let members = try driver.get(name).status?["requested"]?.objectValue?.members ?? []
        return Dictionary(uniqueKeysWithValues: members.map { ($0.key, $0.value.stringValue ?? "") })
    }

    @Test func optionsAreChangedAddedAndTakenAway() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web", options: ["server": "nas", "path": "/export", "o": "hard", "subdir": "a", "create": "true"])
            let changes = try await driver.set("web", ["o": "", "path": "/other", "onremove": "archive", "subdir": "a"])
            #expect(
                changes == [
                    VolumeOptionChange(name: "o", old: "hard", new: nil), VolumeOptionChange(name: "onremove", old: nil, new: "archive"),
                    VolumeOptionChange(name: "path", old: "/export", new: "/other"),
                ])
            let after = [
                "server": "nas", "path": "/other", "subdir": "a", "create": "true", "mode": "0755", "onremove": "archive",
            ]
            #expect(try requested(driver, "web") == after)
            let created = try driver.get("web").createdAt
            #expect(fixture.log.contains("notice volume web changed: o=(not set) instead of hard"))
            // It is on disk, and the volume is the same one.
            let restarted = try fixture.start().nfsd
            #expect(try requested(restarted, "web") == after)
            #expect(try restarted.get("web").createdAt == created)
            #expect(try await restarted.set("web", ["path": "/other/"]).isEmpty)
        }
    }

    /// A volume has its name on this host alone, under whatever name of the driver.
    @Test func theNameOfTheDriverDoesNotCount() async throws {
        try await withFixture { fixture in
            let volumes = try fixture.start()
            try await volumes.driver(named: "docker-nfsd").create("web")
            #expect(try await volumes.nfsd.set("web", ["o": "hard"]).count == 1)
            #expect(try requested(volumes.driver(named: "docker-nfsd"), "web")["o"] == "hard")
            #expect(throws: PluginError.self) { try volumes.nfsd.get("web") }
        }
    }

    @Test(arguments: [
        (["o": "harrd"], "unknown option harrd in o; did you mean hard?"), (["sever": "x"], "unknown option sever; did you mean server?"),
        (["server": ""], "option server is missing"), (["device": "other:/x"], "options server=nas and device=other contradict each other"),
        (["onremove": "delete"], "onremove=delete needs subdir and create=true"),
        (["o": "vers=3", "nfsvers": "4"], "contradict each other"),
        (["o": String(repeating: "x", count: 5000)], "option o is longer than 4096 bytes"),
    ])
    func theChecksAreThoseOfACreation(changes: [String: String], text: String) async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            let message = try await refusal { _ = try await driver.set("web", changes) }
            #expect(message.hasPrefix("cannot change volume web: ") && message.contains(text), "\(message)")
            #expect(try requested(driver, "web") == ["server": "nas", "path": "/export"])
            #expect(try await refusal { _ = try await driver.set("none", ["o": "hard"]) } == "no such volume: none")
        }
    }

    @Test(.needs(.root)) func aMountedVolumeIsNotChanged() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            try await driver.create("web")
            _ = try await driver.mount("web", id: "one")
            let message = try await refusal { _ = try await driver.set("web", ["o": "hard"]) }
            #expect(
                message
                    == "cannot change volume web: it is mounted; stop what uses it first (docker volume inspect web shows the containers)")
            try await driver.unmount("web", id: "one")
            #expect(try await driver.set("web", ["o": "ro"]).count == 1)
            _ = try await driver.mount("web", id: "one")
            #expect(try fixture.mounts("web")[0].options.contains("ro"))
            try await driver.unmount("web", id: "one")
        }
    }

    @Test(.needs(.root)) func onAShareItIsForAllNodes() async throws {
        try await withHosts { a, b, _ in
            try await a.driver.create("web", options: ["onremove": "delete"])
            try await a.fill("web")
            b.read()
            _ = try await b.driver.mount("web", id: "1")
            let message = try await refusal { _ = try await a.driver.set("web", ["onremove": "retain"]) }
            #expect(message.contains("host host-b has it mounted"), "\(message)")
            #expect(message.contains("nas:/export/.docker-nfsd/uses/use.web.host-b"), "\(message)")
            #expect(try requested(a.driver, "web")["onremove"] == "delete")
            try await b.driver.unmount("web", id: "1")
            b.read()
            #expect(try await a.driver.set("web", ["onremove": "retain", "o": "hard"]).map(\.name) == ["o", "onremove"])
            b.read()
            #expect(try requested(b.driver, "web") == requested(a.driver, "web"))
            #expect(try requested(b.driver, "web")["o"] == "hard")
            #expect(try a.driver.get("web").createdAt == b.driver.get("web").createdAt)
            // What is on the share says nothing of how it is reached.
            let refused = try await refusal { _ = try await a.driver.set("web", ["server": "nas"]) }
            #expect(refused.contains("a volume of a share names no server"), "\(refused)")
            // One that another host has removed is not brought back.
            try await b.driver.remove("web")
            let gone = try await refusal { _ = try await a.driver.set("web", ["o": "ro"]) }
            #expect(gone.contains("it was removed on another host"), "\(gone)")
            #expect(try namesInFolder(a.fixture.folder.removingLastComponent().appending("export/.docker-nfsd/volumes")).isEmpty)
        }
    }

    // MARK: The command

    @Test func withoutADaemonTheCommandMakesTheChangeItself() async throws {
        try await withFixture { fixture in
            var settings = fixture.settings
            settings.socketDirectory = fixture.folder.appending("sockets")
            try await fixture.start().nfsd.create("web")
            let command = try VolumeSetCommand(settings: settings, name: "web", words: ["o=hard,timeo=100", "nfsvers=4.2"])
            #expect(
                try await command.run(logger: fixture.logger) == """
                    web: nfsvers=4.2, was (not set)
                    web: o=hard,timeo=100, was (not set)

                    """)
            #expect(try await command.run(logger: fixture.logger) == "web: nothing to change\n")
            #expect(try requested(fixture.start().nfsd, "web")["o"] == "hard,timeo=100")
        }
    }

    @Test(arguments: [
        ([], "no options given"), (["hard"], "hard is not of the form option=value"), (["=x"], "=x is not of the form"),
        (["o=a", "o=b"], "option o is given twice"),
    ])
    func wordsThatAreNoChange(words: [String], text: String) throws {
        let error = #expect(throws: PluginError.self) { try VolumeSetCommand(settings: DaemonSettings(), name: "web", words: words) }
        #expect(error?.message.hasPrefix(text) == true)
    }

    @Test func answersOfTheDaemon() throws {
        func changes(_ text: String) throws -> [VolumeOptionChange] {
            try VolumeSetCommand.changes(inAnswer: Array(text.utf8), from: "/s")
        }
        #expect(
            try changes("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"Changes\":[{\"Name\":\"o\",\"Old\":\"a\"}],\"Err\":\"\"}")
                == [VolumeOptionChange(name: "o", old: "a", new: nil)])
        for (text, message) in [
            ("HTTP/1.1 500 X\r\n\r\n{\"Err\":\"why\"}", "why"), ("", "ended the connection without an answer"),
            ("HTTP/1.1 404 X\r\n\r\n", "is of an older version"), ("HTTP/1.1 200 OK\r\n\r\n{", "cannot be understood"),
        ] {
            let error = #expect(throws: PluginError.self) { _ = try changes(text) }
            #expect(error?.message.contains(message) == true)
        }
    }
}
