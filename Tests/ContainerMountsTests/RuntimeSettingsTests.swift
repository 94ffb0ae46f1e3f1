// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import JSON
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

struct RuntimeSettingsTests {
    @Test func readsEverything() throws {
        let settings = try RuntimeSettings(
            parsing: Array(
                #"{"mount-point-plugins": ["a", "b", "a"], "runtime-path": "/usr/bin/crun", "plugin-timeout": 2.5, "docker-data-root": "/data", "attach-timeout-limit": 60, "detach-timeout-limit": 0.5}"#
                    .utf8))
        #expect(settings.plugins == ["a", "b"])
        #expect(settings.runtimePath == "/usr/bin/crun")
        #expect(settings.timeout == 2.5)
        #expect(settings.limits == CallLimits(attach: 60, detach: 0.5))
        #expect(settings.dataRoot == "/data")
    }

    @Test func whatIsNotThereSaysNothing() throws {
        #expect(try RuntimeSettings.read(from: "/nonexistent/mountpoint-runc.json") == RuntimeSettings())
        #expect(try RuntimeSettings(parsing: Array("{}".utf8)) == RuntimeSettings())
        #expect(RuntimeSettings().timeout == 30)
        #expect(RuntimeSettings().limits == CallLimits(attach: 30, detach: 600))
    }

    @Test(arguments: [
        ("", "not valid JSON"), ("[]", "must be a JSON object"), (#"{"mount-point-plugins": "a"}"#, "must be an array"),
        (#"{"mount-point-plugins": [1]}"#, "must be a string, not a number"), (#"{"mount-point-plugins": [""]}"#, "is none"),
        (#"{"plugin-timeout": 0}"#, "from 0.1 to 3600"), (#"{"plugin-timeout": "30s"}"#, "must be a number of seconds, not a string"),
        (#"{"runtime-path": "runc"}"#, "absolute path"), (#"{"plugins": []}"#, #"no setting "plugins""#),
        (#"{"mount-point-plugins": ["a"]"#, "not valid JSON"),
        (#"{"mount-point-plugins": null}"#, "mount-point-plugins must not be null"), (#"{"debug": null}"#, "debug must not be null"),
    ])
    func refuses(text: String, words: String) {
        let error = #expect(throws: RuntimeError.self) { try RuntimeSettings(parsing: Array(text.utf8)) }
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        #expect(error?.code == .badSettings && error?.cause is JSONShapeError)
    }

    @Test func namesTheFile() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("settings.json")
            try replaceFile(file, with: Array("{".utf8), durable: false)
            let error = #expect(throws: RuntimeError.self) { try RuntimeSettings.read(from: file.string) }
            #expect(error?.message.hasPrefix(file.string + ": ") == true)
            #expect(error?.code == .badSettings && error?.cause is JSONShapeError)
        }
    }

    @Test func tellsPluginsApartByTheirBytes() throws {
        let settings = try RuntimeSettings(
            parsing: Array(#"{"mount-point-plugins": ["\u00e9", "e\u0301"], "runtime-path": "/\u0301x"}"#.utf8))
        #expect(settings.plugins.map { Array($0.utf8) } == [Array("\u{E9}".utf8), Array("e\u{301}".utf8)])
        #expect(settings.runtimePath.map { Array($0.utf8) } == Array("/\u{301}x".utf8))
    }

    /// Without an error, no plugin would be asked; a named pipe would keep the container waiting besides.
    @Test(arguments: [
        "dangling link", "pipe", "folder", "socket", "link to a pipe", "device", "folder above is a dangling link",
        "folder above is a file",
    ])
    func whatIsInThePlaceOfTheFileIsAnError(kind: String) async throws {
        try await withScratchFolder { folder in
            var file = folder.appending("settings.json")
            let other = folder.appending("other")
            switch kind {
            case "dangling link": symlink("nowhere", file.string)
            case "pipe": mkfifo(file.string, 0o600)
            case "folder": mkdir(file.string, 0o700)
            case "socket": mknod(file.string, S_IFSOCK | 0o600, 0)
            case "link to a pipe":
                mkfifo(other.string, 0o600)
                symlink(other.string, file.string)
            case "device": symlink("/dev/null", file.string)
            case "folder above is a dangling link":
                symlink("nowhere", other.string)
                file = other.appending("sub/settings.json")
            default:
                try replaceFile(other, with: [], durable: false)
                file = other.appending("settings.json")
            }
            let error = #expect(throws: RuntimeError.self) { try RuntimeSettings.read(from: file.string) }
            #expect(error?.message.hasPrefix("the settings cannot be read: ") == true, "\(error?.message ?? "")")
            #expect(error?.code == .badSettings && error?.cause is SystemError)
        }
    }

    @Test func followsALinkToAFile() async throws {
        try await withScratchFolder { folder in
            try replaceFile(folder.appending("real"), with: Array(#"{"mount-point-plugins":["a"]}"#.utf8), durable: false)
            symlink("real", folder.appending("link").string)
            #expect(try RuntimeSettings.read(from: folder.appending("link").string).plugins == ["a"])
        }
    }
}
