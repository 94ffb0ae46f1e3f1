// SPDX-License-Identifier: AGPL-3.0-or-later

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
        ("", "not valid JSON"), ("[]", "must be a JSON object"), (#"{"mount-point-plugins": "a"}"#, "must be a list"),
        (#"{"mount-point-plugins": [1]}"#, "and 1 is none"), (#"{"mount-point-plugins": [""]}"#, "is none"),
        (#"{"plugin-timeout": 0}"#, "from 0.1 to 3600"), (#"{"plugin-timeout": "30s"}"#, "from 0.1 to 3600"),
        (#"{"runtime-path": "runc"}"#, "absolute path"), (#"{"plugins": []}"#, #"no setting "plugins""#),
        (#"{"mount-point-plugins": ["a"]"#, "not valid JSON"),
    ])
    func refuses(text: String, words: String) {
        let error = #expect(throws: RuntimeError.self) { try RuntimeSettings(parsing: Array(text.utf8)) }
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test func namesTheFile() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("settings.json")
            try replaceFile(file, with: Array("{".utf8), durable: false)
            let error = #expect(throws: RuntimeError.self) { try RuntimeSettings.read(from: file.string) }
            #expect(error?.message.hasPrefix(file.string + ": ") == true)
        }
    }
}
