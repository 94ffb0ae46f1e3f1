// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import JSON
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerFiles

@Suite struct DockerSettingsTests {
    @Test func readsWhatMatters() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("daemon.json")
            #expect(try DockerSettings.read(from: file.string) == DockerSettings())
            try replaceFile(file, with: Array(" \n".utf8), durable: false)
            #expect(try DockerSettings.read(from: file.string) == DockerSettings())
            try replaceFile(file, with: Array(#"{"data-root":"/data","init-path":"/opt/init","debug":true}"#.utf8), durable: false)
            #expect(try DockerSettings.read(from: file.string) == DockerSettings(dataRoot: "/data", initPath: "/opt/init"))
            for (text, user) in [(#"{"userns-remap": "default"}"#, "default"), (#"{"userns-remap": ""}"#, nil)] {
                try replaceFile(file, with: Array(text.utf8))
                #expect(try DockerSettings.read(from: file.string).remappedUser == user)
            }
        }
    }

    @Test(arguments: ["pipe", "dangling link", "folder", "{", "[]", #"{"data-root":7}"#])
    func refusesWhatDockerdWouldRefuse(content: String) async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("daemon.json")
            switch content {
            case "pipe": mkfifo(file.string, 0o600)
            case "dangling link": symlink("nowhere", file.string)
            case "folder": mkdir(file.string, 0o700)
            default: try replaceFile(file, with: Array(content.utf8), durable: false)
            }
            let error = #expect(throws: EngineFilesError.self) { try DockerSettings.read(from: file.string) }
            #expect(error?.description.hasPrefix("cannot use \(file): ") == true)
            let isContent = content.hasPrefix("{") || content == "[]"
            #expect(isContent ? error?.cause is JSONShapeError : error?.cause is SystemError)
        }
    }
}
